import java.util.zip.CRC32;

/** The bodies of the interop messages, a function of their index; bodies.ts computes the same. */
final class Bodies {
    private Bodies() {
    }

    /** Four bytes of index, big endian, then bytes that depend on the index, repetitive enough to compress. */
    static byte[] of(int index, int bytes) {
        byte[] body = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
            body[i] = i < 4 ? (byte) (index >>> (24 - 8 * i)) : (byte) (index * 7 + (i >> 3));
        }
        return body;
    }

    static long crc32(byte[] body) {
        CRC32 crc = new CRC32();
        crc.update(body);
        return crc.getValue();
    }
}
