"""The three generations of the crypto session payload, a C struct sent as the compiler laid it out.

C1 is QEMU 2.12 to 7.0 and DPDK 18.05 to 24.11, C2 is QEMU 7.1 to 8.0 (0e660a6f90 dropped a member), C3 is QEMU 8.1
(5c33f9783a) and DPDK 25.03 (b1d02713d3). C1 and C2 have the same size: a C2 front-end and a C1 back-end misread each
other without an error. Offsets are those of 64-bit builds. Key bytes are part of the payload and are never shown.
"""

from vudissect.protocol.fields import i64, pad, raw, u8, u32, u64
from vudissect.protocol.model import Layout, Meaning

_OPERATIONS = {
    0x0002: "CIPHER_CREATE_SESSION",
    0x0003: "CIPHER_DESTROY_SESSION",
    0x0102: "HASH_CREATE_SESSION",
    0x0103: "HASH_DESTROY_SESSION",
    0x0202: "MAC_CREATE_SESSION",
    0x0203: "MAC_DESTROY_SESSION",
    0x0302: "AEAD_CREATE_SESSION",
    0x0303: "AEAD_DESTROY_SESSION",
    0x0404: "AKCIPHER_CREATE_SESSION",
    0x0405: "AKCIPHER_DESTROY_SESSION",
}
_OPERATION_TYPES = {0: "none", 1: "cipher", 2: "algorithm chaining"}
_DIRECTIONS = {1: "encrypt", 2: "decrypt"}
_HASH_MODES = {0: "none", 1: "plain", 2: "auth", 3: "nested"}
_CHAIN_ORDERS = {0: "none", 1: "hash then cipher", 2: "cipher then hash"}

_SYMMETRIC = (
    u32("cipher_alg"),
    u32("key_len", Meaning.SIZE),
    u32("hash_alg"),
    u32("hash_result_len", Meaning.SIZE),
    u32("auth_key_len", Meaning.SIZE),
    u32("add_len", Meaning.SIZE),
    u8("op_type", choices=_OPERATION_TYPES),
    u8("direction", choices=_DIRECTIONS),
    u8("hash_mode", choices=_HASH_MODES),
    u8("alg_chain_order", choices=_CHAIN_ORDERS),
)
_KEYS = (
    u64("cipher_key", Meaning.POINTER),
    u64("auth_cipher_key", Meaning.POINTER),
    raw("key", 64, Meaning.SECRET),
    raw("auth_key", 512, Meaning.SECRET),
)

SESSION_C1 = Layout(
    "crypto_session.first",
    (i64("session_id"), u32("op_code", choices=_OPERATIONS), *_SYMMETRIC, *_KEYS),
    when=("op_code", frozenset({0x0002, 0x0102, 0x0202, 0x0302})),
    note="QEMU 2.12 to 7.0, DPDK 18.05 to 24.11",
)
SESSION_C2 = Layout(
    "crypto_session.second",
    (i64("session_id"), *_SYMMETRIC, pad(4), *_KEYS),
    note="QEMU 7.1 to 8.0; same size as the first",
)
SESSION_C3 = Layout(
    "crypto_session.third",
    (
        u64("op_code", choices=_OPERATIONS),
        *_SYMMETRIC,
        pad(4),
        *_KEYS,
        raw("unused", 432, Meaning.SECRET, note="rest of the union with the asymmetric form"),
        i64("session_id", note="-1 is an error"),
    ),
    note="QEMU 8.1 and later, DPDK 25.03 and later",
)
SESSION_C3_ASYMMETRIC = Layout(
    "crypto_session.third_asymmetric",
    (
        u64("op_code", choices=_OPERATIONS),
        u32("algo", choices={1: "RSA", 2: "ECDSA"}),
        u32("key_type", choices={1: "public", 2: "private"}),
        u32("key_len", Meaning.SIZE),
        pad(4),
        u64("key_pointer", Meaning.POINTER),
        u32("rsa_padding", choices={0: "raw", 1: "PKCS1"}),
        u32("rsa_hash"),
        raw("key", 1024, Meaning.SECRET),
        i64("session_id", note="-1 is an error"),
    ),
    when=("op_code", frozenset({0x0404, 0x0405})),
    note="QEMU 8.1 and later, DPDK 25.03 and later",
    title="crypto session (third, asymmetric)",
)

SESSION_ID = Layout("session_id", (u64("session_id"),))
