/** Java's `String.hashCode()`: 32 bits with sign. Consumers and brokers compare tags by it. */
export function javaStringHash(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}
