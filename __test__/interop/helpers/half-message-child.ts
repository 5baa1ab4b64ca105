/** Run as a process: stores a half message, and is killed while its local transaction runs. */
import { TransactionProducer } from '../../../ts/index.js'

const [namesrvAddr, producerGroup = '', topic = '', body = ''] = process.argv.slice(2)

async function main(): Promise<void> {
  const producer = new TransactionProducer({
    namesrvAddr,
    producerGroup,
    transactionListener: { checkLocalTransaction: () => 'UNKNOW' }
  })
  await producer.start()
  await producer.sendMessageInTransaction({ topic, body }, () => {
    process.kill(process.pid, 'SIGKILL')
  })
}

void main()
