/** Fetches Apache's jars and compiles the Java programs, before tests that run at the same time ask for them. */
import { peerClassPath } from './java-peer.js'

void peerClassPath()
