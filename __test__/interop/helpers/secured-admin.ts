/** Runs mqadmin's commands about users, permissions and topics, signed for a user; see SecuredAdmin.java. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { peerClassPath } from './java-peer.js'
import { TemporaryDirectory } from './owned.js'

/** A user of a broker with ACL. */
export interface User {
  readonly accessKey: string
  readonly secretKey: string
}

/**
 * Runs the commands one after the other in one process.
 *
 * @param commands each as on mqadmin's command line, parts separated by single blanks
 */
export async function mqadmin(user: User, nameServer: string, ...commands: string[]): Promise<void> {
  using home = new TemporaryDirectory()
  const java = [`-Duser.home=${home.path}`, `-Drocketmq.namesrv.addr=${nameServer}`, '-cp', await peerClassPath()]
  await promisify(execFile)('java', [...java, 'SecuredAdmin', user.accessKey, user.secretKey, ...commands])
}
