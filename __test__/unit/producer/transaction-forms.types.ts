/** Compiled, never run: what local transactions may return, synchronously or not, and what they may be given. */
import type { MessageExt, TransactionListener } from '../../../ts/index.js'
import { LocalTransactionState, TransactionProducer } from '../../../ts/index.js'

const options = { producerGroup: 'pg' }

/** Fails to compile when a listener that is right is refused, or one that is wrong is not. */
export function listenerForms(isPaid: (keys: string | undefined) => Promise<boolean>): TransactionProducer[] {
  const either: TransactionListener = { checkLocalTransaction: ({ keys }) => (keys === '' ? 'UNKNOW' : undefined) }
  return [
    new TransactionProducer({ ...options, transactionListener: either }),
    new TransactionProducer({ ...options, transactionListener: { checkLocalTransaction: () => 'UNKNOW' } }),
    new TransactionProducer({ ...options, transactionListener: { checkLocalTransaction: async () => 'UNKNOW' } }),
    new TransactionProducer({
      ...options,
      transactionListener: {
        checkLocalTransaction: async (_message: MessageExt) => 'UNKNOW',
        executeLocalTransaction: async message => {
          await isPaid(message.keys)
          return 'COMMIT_MESSAGE'
        }
      }
    }),
    new TransactionProducer({
      ...options,
      transactionListener: {
        checkLocalTransaction: async message => ((await isPaid(message.keys)) ? 'COMMIT_MESSAGE' : 'UNKNOW'),
        executeLocalTransaction: (_message, amount: number) => (amount > 1 ? 'COMMIT_MESSAGE' : 'ROLLBACK_MESSAGE')
      }
    }),
    new TransactionProducer({
      ...options,
      transactionListener: {
        checkLocalTransaction: () => 'UNKNOW',
        executeLocalTransaction: async message => {
          await isPaid(message.keys)
          return LocalTransactionState.COMMIT_MESSAGE
        }
      }
    }),
    // @ts-expect-error COMMIT is no state: it would count as UNKNOW, and the broker would ask for ever
    new TransactionProducer({ ...options, transactionListener: { checkLocalTransaction: () => 'COMMIT' } }),
    // @ts-expect-error the same behind a promise, which no other overload may take either
    new TransactionProducer({ ...options, transactionListener: { checkLocalTransaction: async () => 'COMMIT' } })
  ]
}

/** The same for what is sent. */
export async function sendForms(producer: TransactionProducer, pay: (amount: number) => Promise<void>): Promise<void> {
  const message = { topic: 'T', body: 'b' }
  await producer.sendMessageInTransaction(message, () => 'COMMIT_MESSAGE')
  await producer.sendMessageInTransaction(message, async () => 'COMMIT_MESSAGE')
  await producer.sendMessageInTransaction(message, half => (half.keys === '' ? 'UNKNOW' : 'COMMIT_MESSAGE'))
  await producer.sendMessageInTransaction(message, () => undefined)
  await producer.sendMessageInTransaction(message, async () => pay(1))
  await producer.sendMessageInTransaction(
    message,
    async (_half, amount) => {
      await pay(amount)
      return 'COMMIT_MESSAGE'
    },
    3
  )
  await producer.sendMessageInTransaction(message, (_half, amount: number) => void pay(amount), 3)
  for (const arg of [undefined, null, 3, 'text', [1], { amount: 3 }, new Date()]) {
    await producer.sendMessageInTransaction(message, arg)
  }
  await producer.sendMessageInTransaction(message, { amount: 3 })
  // @ts-expect-error a function is no argument for the listener: this is a local transaction, with a wrong state
  await producer.sendMessageInTransaction(message, async _half => 'COMMIT')
  // @ts-expect-error 42 is no state, and a function that gives it no argument for the listener
  await producer.sendMessageInTransaction(message, () => 42)
  // @ts-expect-error the same where an argument follows
  await producer.sendMessageInTransaction(message, async (_half, _amount) => 'COMMIT', 3)
  // @ts-expect-error a text is not what the local transaction takes
  await producer.sendMessageInTransaction(message, (_half, amount: number) => void pay(amount), 'three')
}
