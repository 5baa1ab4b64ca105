/**
 * The only file that loads the addon; everything native passes through here. The rest of the package sees typed functions
 * and classes, and errors of this package.
 *
 * @packageDocumentation
 */
export { NativeChannels, compress, crc32, decodeFrame, decodeMessages, decompress, encodeFrame, encodeMessage } from '#binding'
export type { NativeSendTemplate } from '#binding'
