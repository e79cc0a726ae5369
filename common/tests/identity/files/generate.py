"""Writes the PKCS#12 files whose password is the null string, by libcrypto of OpenSSL 3: its command makes none.

null-password-3des.p12 and ber-inside.p12, which has indefinite lengths behind its first length, came as they are.
"""

import ctypes
import pathlib
import subprocess
import tempfile

crypto = ctypes.CDLL("libcrypto.so.3")
pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int


def function(name, result, *arguments):
    found = getattr(crypto, name)
    found.restype, found.argtypes = result, list(arguments)
    return found


load_provider = function("OSSL_PROVIDER_load", pointer, pointer, text)
open_file = function("BIO_new_file", pointer, text, text)
close_file = function("BIO_free", number, pointer)
read_key = function("PEM_read_bio_PrivateKey", pointer, pointer, pointer, pointer, pointer)
read_certificate = function("PEM_read_bio_X509", pointer, pointer, pointer, pointer, pointer)
create = function("PKCS12_create", pointer, text, text, *[pointer] * 3, *[number] * 5)
set_mac = function("PKCS12_set_mac", number, pointer, text, number, pointer, number, number, pointer)
write = function("i2d_PKCS12_bio", number, pointer, pointer)
sha1, sha512 = function("EVP_sha1", pointer), function("EVP_sha512", pointer)

# Numbers of openssl/obj_mac.h.
TRIPLE_DES, RC2_40, AES_256 = 146, 149, 427

here = pathlib.Path(__file__).parent
assert load_provider(None, b"legacy") and load_provider(None, b"default")
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem "
        "-subj /CN=device -days 3650".split(),
        cwd=folder,
        check=True,
    )
    key = read_key(open_file(f"{folder}/key.pem".encode(), b"r"), None, None, None)
    certificate = read_certificate(open_file(f"{folder}/cert.pem".encode(), b"r"), None, None, None)

for name, for_key, for_certificate, mac in [
    ("rc2", TRIPLE_DES, RC2_40, sha1()),
    ("aes", AES_256, AES_256, sha512()),
    ("no-mac", TRIPLE_DES, TRIPLE_DES, None),
]:
    archive = create(None, b"device", key, certificate, None, for_key, for_certificate, 2, -1, 0)
    assert archive
    if mac:
        assert set_mac(archive, None, -1, None, 0, 2, mac)
    file = open_file(str(here / f"null-password-{name}.p12").encode(), b"w")
    assert write(file, archive)
    close_file(file)
