"""The crypto device and the masks of algorithms in its configuration space."""

from vudissect.protocol.bits import Bit, BitSet
from vudissect.protocol.fields import u32, u64
from vudissect.protocol.model import Device, Layout, Meaning

_SERVICES = BitSet(
    "crypto services",
    (Bit(0, "CIPHER"), Bit(1, "HASH"), Bit(2, "MAC"), Bit(3, "AEAD"), Bit(4, "AKCIPHER"), Bit(5, "IPSEC")),
)
_CIPHERS_LOW = BitSet(
    "ciphers 0 to 31",
    (
        Bit(0, "NO_CIPHER"),
        Bit(1, "ARC4"),
        Bit(2, "AES_ECB"),
        Bit(3, "AES_CBC"),
        Bit(4, "AES_CTR"),
        Bit(5, "DES_ECB"),
        Bit(6, "DES_CBC"),
        Bit(7, "3DES_ECB"),
        Bit(8, "3DES_CBC"),
        Bit(9, "3DES_CTR"),
        Bit(10, "KASUMI_F8"),
        Bit(11, "SNOW3G_UEA2"),
        Bit(12, "AES_F8"),
        Bit(13, "AES_XTS"),
        Bit(14, "ZUC_EEA3"),
    ),
)
_CIPHERS_HIGH = BitSet("ciphers 32 to 63", ())
_HASHES = BitSet(
    "hashes",
    (
        Bit(0, "NO_HASH"),
        Bit(1, "MD5"),
        Bit(2, "SHA1"),
        Bit(3, "SHA_224"),
        Bit(4, "SHA_256"),
        Bit(5, "SHA_384"),
        Bit(6, "SHA_512"),
        Bit(7, "SHA3_224"),
        Bit(8, "SHA3_256"),
        Bit(9, "SHA3_384"),
        Bit(10, "SHA3_512"),
        Bit(11, "SHA3_SHAKE128"),
        Bit(12, "SHA3_SHAKE256"),
    ),
)
_MACS_LOW = BitSet(
    "MACs 0 to 31",
    (
        Bit(0, "NO_MAC"),
        Bit(1, "HMAC_MD5"),
        Bit(2, "HMAC_SHA1"),
        Bit(3, "HMAC_SHA_224"),
        Bit(4, "HMAC_SHA_256"),
        Bit(5, "HMAC_SHA_384"),
        Bit(6, "HMAC_SHA_512"),
        Bit(25, "CMAC_3DES"),
        Bit(26, "CMAC_AES"),
        Bit(27, "KASUMI_F9"),
        Bit(28, "SNOW3G_UIA2"),
    ),
)
# The algorithm numbers continue in the second word: bit 9 is number 41.
_MACS_HIGH = BitSet(
    "MACs 32 to 63",
    (
        Bit(9, "GMAC_AES"),
        Bit(10, "GMAC_TWOFISH"),
        Bit(17, "CBCMAC_AES"),
        Bit(18, "CBCMAC_KASUMI_F9"),
        Bit(21, "XCBC_AES"),
        Bit(22, "ZUC_EIA3"),
    ),
)
_AEADS = BitSet("AEAD algorithms", (Bit(0, "NO_AEAD"), Bit(1, "GCM"), Bit(2, "CCM"), Bit(3, "CHACHA20_POLY1305")))
_ASYMMETRIC = BitSet("asymmetric ciphers", (Bit(0, "NO_AKCIPHER"), Bit(1, "RSA"), Bit(2, "ECDSA")))

CRYPTO = Device(
    20,
    "crypto",
    Layout(
        "crypto_configuration",
        (
            u32("status", bits=BitSet("crypto status", (Bit(0, "HW_READY"),))),
            u32("max_dataqueues"),
            u32("crypto_services", bits=_SERVICES),
            u32("cipher_algo_l", bits=_CIPHERS_LOW),
            u32("cipher_algo_h", bits=_CIPHERS_HIGH),
            u32("hash_algo", bits=_HASHES),
            u32("mac_algo_l", bits=_MACS_LOW),
            u32("mac_algo_h", bits=_MACS_HIGH),
            u32("aead_algo", bits=_AEADS),
            u32("max_cipher_key_len", Meaning.SIZE),
            u32("max_auth_key_len", Meaning.SIZE),
            u32("akcipher_algo", bits=_ASYMMETRIC, note="reserved before virtio 1.3"),
            u64("max_size", Meaning.SIZE),
        ),
    ),
    BitSet(
        "crypto features",
        (
            Bit(0, "REVISION_1"),
            Bit(1, "CIPHER_STATELESS_MODE"),
            Bit(2, "HASH_STATELESS_MODE"),
            Bit(3, "MAC_STATELESS_MODE"),
            Bit(4, "AEAD_STATELESS_MODE"),
            Bit(5, "AKCIPHER_STATELESS_MODE"),
        ),
        source="virtio specification, Crypto Device",
    ),
    ("data*", "control"),
)
