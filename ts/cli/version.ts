/** The version of this package, from its package.json. */
export const VERSION = (require('rocketmq-native/package.json') as { version: string }).version
