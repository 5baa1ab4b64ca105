import assert from 'node:assert/strict'
import { it } from 'node:test'
import { permissionAdvice } from '../../../ts/remoting/permission-advice.js'

const DENIED = 'User:alice has no permission to access Topic:Orders from 10.0.0.7, no matched policies.'

it('advice on a refusal names who signed and what helps', () => {
  assert.match(permissionAdvice('username cannot be null.', undefined)!, /give the option credentials/)
  assert.match(permissionAdvice('check signature failed.', 'alice')!, /"alice": see that credentials\.secretKey/)
  assert.match(permissionAdvice('Check signature failed for accessKey=alice', 'alice')!, /credentials\.secretKey/)
  assert.match(permissionAdvice('User:alice is not found.', 'alice')!, /mqadmin createUser/)
  assert.match(permissionAdvice('No acl config for alice', 'alice')!, /mqadmin createUser/)
  assert.match(permissionAdvice('User:alice is disabled.', 'alice')!, /mqadmin updateUser -s enable/)
  assert.match(permissionAdvice(DENIED, 'alice')!, /action Pub to send or Sub to consume on Topic:Orders/)
  assert.match(permissionAdvice(DENIED.replace('Topic:Orders', 'Group:g'), 'alice')!, /action Sub on Group:g/)
  assert.match(permissionAdvice('No default permission for alice', 'alice')!, /signed with access key "alice"/)
})

it('a refusal that has nothing to do with credentials gets no advice', () => {
  assert.equal(permissionAdvice('the broker[10.0.0.7] sending message is forbidden', 'alice'), undefined)
  assert.equal(permissionAdvice('', undefined), undefined)
})
