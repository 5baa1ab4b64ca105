import { isSystemTopic } from './validators.js'

/**
 * Topics and groups of a namespace: `namespace%name` on the wire, `name` for the user
 * (`remoting/protocol/NamespaceUtil.java`).
 *
 * @packageDocumentation
 */

const SEPARATOR = '%'
const PREFIXES = ['%RETRY%', '%DLQ%']
const SYSTEM_GROUP_PREFIX = 'CID_RMQ_SYS_'

/**
 * The name on the wire. System topics and groups belong to no namespace, what has the namespace already keeps it, and that
 * of a retry or dead-letter topic stands behind its prefix (`#wrapNamespace`).
 */
export function wrapNamespace(namespace: string, name: string): string {
  const prefix = prefixOf(name)
  const plain = name.slice(prefix.length)
  if (plain.startsWith(namespace + SEPARATOR) || isSystemResource(name)) return name
  return prefix + namespace + SEPARATOR + plain
}

/** The name for the user; a name of another namespace, or of none, stays as it is (`#withoutNamespace`). */
export function withoutNamespace(namespace: string, name: string): string {
  const prefix = prefixOf(name)
  const plain = name.slice(prefix.length)
  if (!plain.startsWith(namespace + SEPARATOR) || isSystemResource(name)) return name
  return prefix + plain.slice(namespace.length + SEPARATOR.length)
}

function prefixOf(name: string): string {
  return PREFIXES.find(prefix => name.startsWith(prefix)) ?? ''
}

function isSystemResource(name: string): boolean {
  return isSystemTopic(name) || name.startsWith(SYSTEM_GROUP_PREFIX)
}
