/**
 * What to do about an answer with code NO_PERMISSION (16), judged by the words of Apache's broker: those of ACL 2.0
 * (`auth/authentication/chain/DefaultAuthenticationHandler.java`, `auth/authorization/chain/AclAuthorizationHandler.java`) and of
 * ACL 1.0 (`acl/plain/PlainPermissionManager.java`).
 *
 * @param accessKey whom the request was signed for; undefined when it was not signed
 * @returns undefined when the refusal has nothing to do with credentials
 */
export function permissionAdvice(remark: string, accessKey: string | undefined): string | undefined {
  if (/username cannot be null|no accesskey is configured/i.test(remark)) {
    return 'the broker takes signed requests only: give the option credentials'
  }
  if (accessKey === undefined) return undefined
  const signedAs = `signed with access key ${JSON.stringify(accessKey)}`
  if (/signature/i.test(remark)) return `${signedAs}: see that credentials.secretKey is the key of this user`
  if (/^User:.* is not found\.|^User:.* not found\.|no acl config for/i.test(remark)) {
    return `${signedAs}, which the broker does not know: mqadmin createUser makes users`
  }
  if (/^User:.* is disabled\./.test(remark)) return `${signedAs}: mqadmin updateUser -s enable lets the user in again`
  const denied = /has no permission to access (Topic|Group|Cluster)?(\S*) from/.exec(remark)
  if (denied !== null) {
    const [, kind, name] = denied
    const actions =
      kind === 'Topic' ? ' with action Pub to send or Sub to consume' : kind === 'Group' ? ' with action Sub' : ''
    return `${signedAs}: mqadmin createAcl or updateAcl grants it${actions} on ${kind ?? ''}${name}`
  }
  if (/no default permission|no permission/i.test(remark)) return signedAs
  return undefined
}
