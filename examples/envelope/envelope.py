"""Seals and opens an envelope of provider env: docs/envelope.md. Needs the package cryptography.

envelope.py open SECRETS_FILE [AAD] <envelope.json >plaintext
envelope.py seal SECRETS_FILE VERSION [AAD] <plaintext >envelope.json

An envelope is JSON here, its bytes in hex. AAD is a text.
"""
import json
import os
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

IV, TAG, KEY = 12, 16, 32  # bytes


def kek(path, version):
    name = f"CERTAUTOPILOT_ENCRYPTION_ENV_KEK_V{version}="
    with open(path) as file:
        return bytes.fromhex(next(line for line in file if line.startswith(name))[len(name):].strip())


def open_envelope(path, e, aad):
    wrapped, nonce, ciphertext = (bytes.fromhex(e[part]) for part in ("wrapped_dek", "nonce", "ciphertext"))
    if e["provider"] != "env" or len(wrapped) != IV + KEY + TAG or len(nonce) != IV:
        raise ValueError("not an envelope of provider env")
    dek = AESGCM(kek(path, e["kek_version"])).decrypt(wrapped[:IV], wrapped[IV:], None)
    return AESGCM(dek).decrypt(nonce, ciphertext, aad)


def seal(path, version, plaintext, aad):
    dek, iv, nonce = os.urandom(KEY), os.urandom(IV), os.urandom(IV)
    wrapped = iv + AESGCM(kek(path, version)).encrypt(iv, dek, None)
    return {"wrapped_dek": wrapped.hex(), "nonce": nonce.hex(), "provider": "env", "kek_version": version,
            "ciphertext": AESGCM(dek).encrypt(nonce, plaintext, aad).hex()}


what, secrets, *rest = sys.argv[1:]
version = int(rest.pop(0)) if what == "seal" else None
aad = rest[0].encode() if rest else None
if what == "open":
    sys.stdout.buffer.write(open_envelope(secrets, json.load(sys.stdin), aad))
else:
    json.dump(seal(secrets, version, sys.stdin.buffer.read(), aad), sys.stdout)
