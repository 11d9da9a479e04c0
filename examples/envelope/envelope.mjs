// Seals and opens an envelope of provider env: docs/envelope.md. Needs Node alone.
//
// node envelope.mjs open SECRETS_FILE [AAD] <envelope.json >plaintext
// node envelope.mjs seal SECRETS_FILE VERSION [AAD] <plaintext >envelope.json
//
// An envelope is JSON here, its bytes in hex. AAD is a text.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

const [IV, TAG, KEY] = [12, 16, 32]; // bytes

const name = "CERTAUTOPILOT_ENCRYPTION_ENV_KEK_V";
const kek = (path, version) =>
  Buffer.from(readFileSync(path, "utf8").match(new RegExp(`^${name}${version}=(.*)$`, "m"))[1], "hex");

function encrypt(key, iv, plaintext, aad = "") {
  const gcm = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(aad));
  return Buffer.concat([gcm.update(plaintext), gcm.final(), gcm.getAuthTag()]);
}

function decrypt(key, iv, sealed, aad = "") {
  const gcm = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: TAG });
  gcm.setAAD(Buffer.from(aad)).setAuthTag(sealed.subarray(-TAG));
  return Buffer.concat([gcm.update(sealed.subarray(0, -TAG)), gcm.final()]);
}

const [what, path, ...rest] = process.argv.slice(2);
if (what === "open") {
  const e = JSON.parse(readFileSync(0, "utf8"));
  const [wrapped, nonce, ciphertext] = [e.wrapped_dek, e.nonce, e.ciphertext].map((hex) => Buffer.from(hex, "hex"));
  if (e.provider !== "env" || wrapped.length !== IV + KEY + TAG || nonce.length !== IV)
    throw new Error("not an envelope of provider env");
  const dek = decrypt(kek(path, e.kek_version), wrapped.subarray(0, IV), wrapped.subarray(IV));
  process.stdout.write(decrypt(dek, nonce, ciphertext, rest[0]));
} else {
  const [version, aad] = rest;
  const [dek, iv, nonce] = [KEY, IV, IV].map((n) => randomBytes(n));
  const wrapped = Buffer.concat([iv, encrypt(kek(path, version), iv, dek)]);
  const ciphertext = encrypt(dek, nonce, readFileSync(0), aad);
  process.stdout.write(JSON.stringify({ wrapped_dek: wrapped.toString("hex"), nonce: nonce.toString("hex"),
    provider: "env", kek_version: Number(version), ciphertext: ciphertext.toString("hex") }));
}
