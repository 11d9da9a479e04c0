"""Seals and opens an envelope of provider env: docs/envelope.md. Needs the package cryptography.

envelope.py open SECRETS_FILE [AAD] [--bound BINDING] <envelope.json >plaintext
envelope.py seal SECRETS_FILE VERSION [AAD] [--bound BINDING] <plaintext >envelope.json

An envelope is JSON here, its bytes in hex. AAD is a text. Under a version that is bound, BINDING
is JSON too: {"purpose": "dek", "chain": ..., "place": ..., "id": {"type": ..., "value": ...},
"keys": [...]}.
"""
import hashlib
import json
import os
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

IV, TAG, KEY = 12, 16, 32  # bytes


def kek(path, version):
    name = f"CERTAUTOPILOT_ENCRYPTION_ENV_KEK_V{version}="
    with open(path) as file:
        return bytes.fromhex(next(line for line in file if line.startswith(name))[len(name):].strip())


def binding(b):
    """The AAD of a wrapped DEK, from what it is bound to."""
    fields = [b["purpose"], b["chain"]]
    if b["purpose"] == "dek":
        fields.append(b["place"])
        for i in [b["id"], *b["keys"]]:
            fields += [i["type"], bytes.fromhex(i["value"]) if i["type"] in ("bytes", "objectid") else i["value"]]
    digest = hashlib.sha256()
    for field in fields:
        data = field if isinstance(field, bytes) else field.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return b"kekceremony bind v1" + digest.digest()


def open_envelope(path, e, aad, bound):
    wrapped, nonce, ciphertext = (bytes.fromhex(e[part]) for part in ("wrapped_dek", "nonce", "ciphertext"))
    if e["provider"] != "env" or len(wrapped) != IV + KEY + TAG or len(nonce) != IV:
        raise ValueError("not an envelope of provider env")
    dek = AESGCM(kek(path, e["kek_version"])).decrypt(wrapped[:IV], wrapped[IV:], bound)
    return AESGCM(dek).decrypt(nonce, ciphertext, aad)


def seal(path, version, plaintext, aad, bound):
    dek, iv, nonce = os.urandom(KEY), os.urandom(IV), os.urandom(IV)
    wrapped = iv + AESGCM(kek(path, version)).encrypt(iv, dek, bound)
    return {"wrapped_dek": wrapped.hex(), "nonce": nonce.hex(), "provider": "env", "kek_version": version,
            "ciphertext": AESGCM(dek).encrypt(nonce, plaintext, aad).hex()}


what, secrets, *rest = sys.argv[1:]
bound = None
if "--bound" in rest:
    at = rest.index("--bound")
    bound = binding(json.loads(rest[at + 1]))
    del rest[at:at + 2]
version = int(rest.pop(0)) if what == "seal" else None
aad = rest[0].encode() if rest else None
if what == "open":
    sys.stdout.buffer.write(open_envelope(secrets, json.load(sys.stdin), aad, bound))
else:
    json.dump(seal(secrets, version, sys.stdin.buffer.read(), aad, bound), sys.stdout)
