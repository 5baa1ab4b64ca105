//! Sockets: event loops, server connections, client channels, back-pressure
