// Seals and opens an envelope of provider env: docs/envelope.md. Needs Node alone.
//
// node envelope.mjs open SECRETS_FILE [AAD] [--bound BINDING] <envelope.json >plaintext
// node envelope.mjs seal SECRETS_FILE VERSION [AAD] [--bound BINDING] <plaintext >envelope.json
//
// An envelope is JSON here, its bytes in hex. AAD is a text. Under a version that is bound, BINDING
// is JSON too: {"purpose": "dek", "chain": ..., "place": ..., "id": {"type": ..., "value": ...},
// "keys": [...]}.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
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

// The AAD of a wrapped DEK, from what it is bound to.
function binding({ purpose, chain, place, id, keys }) {
  const raw = ({ type, value }) => [type, Buffer.from(value, ["bytes", "objectid"].includes(type) ? "hex" : "utf8")];
  const fields = [purpose, chain];
  if (purpose === "dek") fields.push(place, ...[id, ...keys].flatMap(raw));
  const digest = createHash("sha256");
  for (const field of fields) {
    const [data, length] = [Buffer.from(field), Buffer.alloc(8)];
    length.writeBigUInt64BE(BigInt(data.length));
    digest.update(length).update(data);
  }
  return Buffer.concat([Buffer.from("kekceremony bind v1"), digest.digest()]);
}

const [what, path, ...rest] = process.argv.slice(2);
const at = rest.indexOf("--bound");
const bound = at < 0 ? "" : binding(JSON.parse(rest.splice(at, 2)[1]));
if (what === "open") {
  const e = JSON.parse(readFileSync(0, "utf8"));
  const [wrapped, nonce, ciphertext] = [e.wrapped_dek, e.nonce, e.ciphertext].map((hex) => Buffer.from(hex, "hex"));
  if (e.provider !== "env" || wrapped.length !== IV + KEY + TAG || nonce.length !== IV)
    throw new Error("not an envelope of provider env");
  const dek = decrypt(kek(path, e.kek_version), wrapped.subarray(0, IV), wrapped.subarray(IV), bound);
  process.stdout.write(decrypt(dek, nonce, ciphertext, rest[0]));
} else {
  const [version, aad] = rest;
  const [dek, iv, nonce] = [KEY, IV, IV].map((n) => randomBytes(n));
  const wrapped = Buffer.concat([iv, encrypt(kek(path, version), iv, dek, bound)]);
  const ciphertext = encrypt(dek, nonce, readFileSync(0), aad);
  process.stdout.write(JSON.stringify({ wrapped_dek: wrapped.toString("hex"), nonce: nonce.toString("hex"),
    provider: "env", kek_version: Number(version), ciphertext: ciphertext.toString("hex") }));
}
