//! Name server and broker in one process, for trying other clients on them:
//! `cargo run --release -p rocketmq-broker --example server -- NAME_SERVER_PORT BROKER_PORT STORE_DIR [key=value ...]`.
//! The rest are lines of a `broker.conf`; `namesrvAddr=...` joins other name servers in place of the own one. It ends in
//! good order when its standard input does.
#![expect(clippy::print_stdout, reason = "it is a command line program")]

use std::error::Error;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use rocketmq_broker::{Broker, BrokerConfigFile, EventSink};
use rocketmq_env::{OsFs, SystemClock};
use rocketmq_namesrv::{NameServer, NameServerConfig};
use rocketmq_remoting::EventLoops;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or_else(|| format!("missing argument: {what}"));
    let name_server_port: u16 = next("name server port")?.parse()?;
    let broker_port = next("broker port")?;
    let store = next("store directory")?;
    let settings: Vec<String> = arguments.collect();
    let loops = EventLoops::new(EventLoops::default_count(), "rocketmq-loop")?;
    let clock = Arc::new(SystemClock::new());
    let listen = SocketAddr::from(([127, 0, 0, 1], name_server_port));
    let name_server = NameServer::start(NameServerConfig { listen, ..Default::default() }, &loops, clock.clone())?;
    let text = format!(
        "brokerName=broker-native\nnamesrvAddr={}\nlistenPort={broker_port}\nstorePathRootDir={store}\n{}\n",
        name_server.local_addr(),
        settings.join("\n")
    );
    let mut file = BrokerConfigFile::parse(&text)?;
    for warning in &file.warnings {
        println!("warning: {warning}");
    }
    file.config.events = EventSink::new(|event| println!("{event}"));
    let broker = Broker::start(file.config, &loops, Arc::new(OsFs), clock)?;
    println!("name server {}, broker {}", name_server.local_addr(), broker.advertised_addr());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let (done, ended) = std::sync::mpsc::channel();
    loops.spawn(async move {
        let summary = broker.shutdown().await;
        let connections = name_server.shutdown().await;
        // The receiver waits right below.
        let _ = done.send((summary, connections));
    });
    let (summary, connections) = ended.recv()?;
    println!("{:?}, name server closed {connections} connections", summary?);
    Ok(())
}
