#!/usr/bin/env python3
"""Verify transcripts of kekceremony: a second reading of docs/transcript-format.md.

Usage: verify.py [--expect DIGEST]... BUNDLE...
       verify.py [--expect DIGEST]... --chain DIR...

Prints "good", "incomplete: RULE: why" or "bad: RULE: why" and exits 0, 5 or 4 (64: usage);
of several bundles it prints a line each, after the path. It needs Python 3.8 and ssh-keygen
of OpenSSH 9.1 or later, shares no code with kekceremony, and follows the order of the table
"Rules" in that document. Comments name the document's sections.
"""
import base64
import collections
import concurrent.futures
import datetime
import functools
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import tempfile

FORMATS = ("kekceremony transcript v1",)
NO_DIGEST = "0" * 64
MAX_FILES, MAX_BYTES, MAX_ROSTER, MAX_REQUESTS = 2000, 8 << 20, 64 << 10, 1000
KINDS = ("opened roster next-roster answered found noted deviation asked plan signed gathered"
         " begun done failed waiting resumed closed").split()
NEED_ROSTER = "asked plan signed gathered begun done closed".split()
MANY_LINES = "roster next_roster plan statement signature exclude".split()
HOMES = dict.fromkeys("chain ceremony kind mode from to generate exclude".split(), "opened")
HOMES.update(roster="roster", roster_sha256="roster", next_roster="next-roster",
             next_roster_sha256="next-roster asked done", attended="gathered",
             changed="done", locked="done")
SPACES = {f"{purpose}{mode}-v1@kekceremony" for purpose in ("attend", "approve", "final", "roster")
          for mode in ("", "-rehearsal")}
TYPES = ("ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 ssh-rsa"
         " sk-ssh-ed25519@openssh.com sk-ecdsa-sha2-nistp256@openssh.com").split()
SENTENCES = {
    "attend": "I am present at this ceremony, and the key named below is mine.",
    "approve": "I have read the plan of this digest and approve that exactly it is done.",
    "roster": "The key named below is mine, and I join the roster of this digest.",
}
VERDICTS = ("followed", "deviations", "disagree")

class Fault(Exception):
    """A rule that a bundle breaks ("bad"), or what it lacks ("incomplete")."""

    def __init__(self, rule, why, standing):
        super().__init__(f"{standing}: {rule}: {why}")
        self.standing = standing

def need(holds, rule, why, standing="bad"):
    if not holds:
        raise Fault(rule, why, standing)

def digest(data):
    return hashlib.sha256(data).hexdigest()

# Rule "files": the section "Files".

def read_bundle(path):
    """Every file of a bundle. No link is followed, and not more read than a bundle may have."""
    try:
        folder, files, size = os.open(path, os.O_RDONLY | os.O_DIRECTORY), {}, 0
    except OSError as err:
        raise Fault("files", err.strerror, "bad")
    try:
        owner, names = os.fstat(folder).st_uid, sorted(os.listdir(folder))
        need(len(names) <= MAX_FILES, "files", "more than 2,000 files")
        need("events.jsonl" in names, "files", "events.jsonl is missing")
        for name in names:
            with open(name, "rb", opener=lambda n, flags: os.open(
                    n, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)) as f:
                s = os.fstat(f.fileno())
                need(stat.S_ISREG(s.st_mode), "files", f"{name!a} is not a regular file")
                need(s.st_nlink == 1, "files", f"{name!a} has a second name")
                need(s.st_uid == owner, "files", f"{name!a} has another owner than the bundle")
                files[name] = f.read(MAX_BYTES + 1 - size)
            size += len(files[name])
            need(size <= MAX_BYTES, "files", "more than 8 MiB")
        return files
    except OSError as err:  # a link, or a directory
        raise Fault("files", f"{err.filename!a}: {err.strerror}", "bad")
    finally:
        os.close(folder)

def check_files(files, walk):
    """Each embedded file is as in the log, and there is no file that nothing names."""
    for name, data in walk.embedded.items():
        need(files.get(name) == data, "files", f"{name} is missing, or not as in the log")
    known = {"events.jsonl", "final.txt"} | set(walk.embedded)
    if walk.roster and "final.txt" in files:
        known |= {f"final.{n}.txt{end}" for n in walk.roster.people for end in ("", ".sig")}
    for name in files:
        need(name in known, "files", f"{name!a}: the log names no such file")

# Rule "log": the section "Lines".

class Event:
    """A line of the log. Of a step or a fact, empty and absent are mostly the same."""

    def __init__(self, line, value):
        self.digest, self.prev, self.seq = digest(line), value["prev"], value["seq"]
        self.time, self.kind, self.step = value["time"], value["kind"], value.get("step", "")
        self.facts, self.where = value.get("facts", {}), f"line {self.seq + 1}"

    def fact(self, name):
        return self.facts.get(name, "")

    def need(self, holds, rule, why):
        need(holds, rule, f"{self.where}: {why}")

def encode(value):
    """The one encoding of an event. An error tells that there is none."""
    def text(t):
        return '"' + t.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if type(value["seq"]) is not int:
        raise ValueError
    parts = [f'"prev":{text(value["prev"])}', f'"seq":{value["seq"]}',
             f'"time":{text(value["time"])}', f'"kind":{text(value["kind"])}']
    if value.get("step"):
        parts.append(f'"step":{text(value["step"])}')
    if value.get("facts"):
        facts = ",".join(f"{text(n)}:{text(v)}" for n, v in sorted(value["facts"].items()))
        parts.append('"facts":{%s}' % facts)
    return ("{%s}\n" % ",".join(parts)).encode("ascii")

def parse_line(line, number):
    where = f"line {number}"
    need(re.fullmatch(rb"[ -~]*\n", line), "log", f"{where}: not printable ASCII")
    try:  # a float, null, list, unknown or second name has no encoding, or not this one
        value = json.loads(line)
        same = encode(value) == line
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        same = False
    need(same, "log", f"{where}: not in the one encoding of an event")
    event = Event(line, value)
    need(event.kind in KINDS, "log", f"{where}: kind {event.kind}")
    time = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", event.time)
    need(time and is_date(*time.groups()), "log", f"{where}: time {event.time}")
    texts = [event.time, event.step, *event.facts]
    texts += [v for n, v in event.facts.items() if n not in MANY_LINES]
    need("\n" not in "".join(texts), "log", f"{where}: a line feed")
    return event

def is_date(year, *rest):
    try:
        return bool(datetime.datetime(int(year) or 4, *map(int, rest)))  # 0 is a leap year, as 4
    except ValueError:
        return False

def parse_log(data):
    """The events, and whether the last line is torn."""
    lines = data.split(b"\n")
    torn, events = lines.pop() != b"", []
    for number, line in enumerate(lines):
        e = parse_line(line + b"\n", number + 1)
        e.need(e.seq == number, "log", f"its seq is not {number}")
        e.need((e.kind == "opened") == (number == 0), "log", f"is {e.kind}")
        if events:
            e.need(e.prev == events[-1].digest, "log", "not the digest before")
            e.need(events[-1].kind != "closed", "log", "follows the closed line")
        events.append(e)
    if events:
        check_first(events[0])
    return events, torn

def check_first(e):
    number = e.fact("ceremony")
    e.need(e.fact("format") in FORMATS, "log", "its format")
    e.need(re.fullmatch("[0-9a-f]{32}", e.fact("chain")), "log", "its chain")
    e.need(e.fact("mode") in ("production", "rehearsal"), "log", "its mode")
    e.need(re.fullmatch("[1-9][0-9]{0,18}", number) and int(number) < 1 << 63, "log", "its number")

# Rule "roster": the section "Roster".

Person = collections.namedtuple("Person", "name spaces after before kind key blob fingerprint")

class Roster:
    """Who may sign, and how many must."""

    LINE = re.compile(r' *([a-z][a-z0-9_-]{0,31}) +namespaces="([^"]+)"'
                      r'(?:,valid-after="(\d{14})Z")?(?:,valid-before="(\d{14})Z")?'
                      r' +([^ ]+) +([^ ]+)(?: .*)?')

    def __init__(self, text, mode):
        need(len(text) <= MAX_ROSTER and re.fullmatch(r"([ -~]*\n)+", text), "roster",
             "a roster is lines of ASCII, at most 64 KiB")
        first, *lines = text.split("\n")[:-1]
        need(re.fullmatch("# quorum: [1-9][0-9]?", first), "roster", "no line # quorum: M")
        self.sum, self.quorum, self.mode = digest(text.encode()), int(first[10:]), mode
        self.verify_user, self.people = False, {}
        for line in lines:
            if line.startswith("# user-verification"):
                need(line == "# user-verification: required", "roster", line)
                self.verify_user = True
            elif line and not line.startswith("#"):
                self.add(line)
        may = [p for p in self.people.values() if self.space("approve") in p.spaces]
        need(len(may) >= self.quorum, "roster", f"{len(may)} may approve, {self.quorum} must")

    def space(self, purpose):
        return purpose + ("" if self.mode == "production" else "-rehearsal") + "-v1@kekceremony"

    def add(self, line):
        m = self.LINE.fullmatch(line)
        need(m, "roster", f"not a line of a roster: {line}")
        name, spaces, after, before, kind, key = m.groups()
        need(set(spaces.split(",")) <= SPACES, "roster", f"{name}: namespaces {spaces}")
        for d in filter(None, (after, before)):
            need(is_date(d[:4], d[4:6], d[6:8], d[8:10], d[10:12], d[12:]) and
                 d > "19700101000000", "roster", f"{name}: date {d}")
        need(not after or not before or after < before, "roster", f"{name} is never valid")
        try:
            blob = base64.b64decode(key, validate=True)
        except ValueError:
            blob = b""
        need(base64.b64encode(blob).decode() == key, "roster", f"{name}: not the base64 of a key")
        print_ = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        need(kind in TYPES and keygen_reads(kind, key, print_), "roster", f"{name}: no such key")
        need(name not in self.people and blob not in [p.blob for p in self.people.values()],
             "roster", f"{name}, or the key, is there twice")
        spaces = tuple(spaces.split(","))
        self.people[name] = Person(name, spaces, after, before, kind, key, blob, print_)

@functools.lru_cache(maxsize=None)
def keygen_reads(kind, key, fingerprint):
    """Does stock ssh-keygen take this for a key of this type, and long enough?"""
    done = keygen(["-l", "-f", "-"], f"{kind} {key}\n".encode())
    bits, printed = (done.stdout.decode("ascii", "replace").split() + ["0", ""])[:2]
    long = kind != "ssh-rsa" or int(bits) >= 2048
    return done.returncode == 0 and printed == fingerprint and long

def keygen(args, data):
    return subprocess.run(["ssh-keygen", *args], input=data, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

# Rule "signatures": the section "Statements"; and rule "stock".

def statement(title, pairs):
    return title + "\n" + "".join(f"{name}: {value}\n" for name, value in pairs)

@functools.lru_cache(maxsize=None)
def keygen_accepts(person, space, moment, text, armor):
    """Does stock ssh-keygen accept the signature, at the time of its line?"""
    options = f'namespaces="{",".join(person.spaces)}"'
    options += f',valid-after="{person.after}Z"' if person.after else ""
    options += f',valid-before="{person.before}Z"' if person.before else ""
    with tempfile.TemporaryDirectory() as folder:
        signers, sig = os.path.join(folder, "signers"), os.path.join(folder, "sig")
        with open(signers, "w") as f:
            f.write(f"{person.name} {options} {person.kind} {person.key}\n")
        with open(sig, "wb") as f:
            f.write(armor)
        return keygen(["-Y", "verify", "-f", signers, "-I", person.name, "-n", space, "-O",
                       f"verify-time={moment}Z", "-s", sig], text).returncode == 0

def parse_armor(armor):
    """The signer's key, the namespace, and the algorithm, flags and counter of an SSHSIG."""
    head, tail = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"
    body = armor[len(head):-len(tail)]
    blob = base64.b64decode(body.replace(b"\n", b""), validate=True)
    code = base64.b64encode(blob)
    lines = b"".join(code[i:i + 70] + b"\n" for i in range(0, len(code), 70))
    (key, space, reserved, hashed, signature), rest = strings(blob[10:], 5)
    (algorithm, _), flags = strings(signature, 2)
    if (head + lines + tail != armor or blob[:10] != b"SSHSIG\0\0\0\1" or rest or reserved or
            hashed not in (b"sha256", b"sha512")):
        raise ValueError
    return key, space, algorithm, flags

def strings(blob, count):
    """So many strings of an SSH encoding, and what follows them."""
    out = []
    for _ in range(count):
        end = 4 + int.from_bytes(blob[:4], "big")
        if len(blob) < end:
            raise ValueError
        out.append(blob[4:end])
        blob = blob[end:]
    return out, blob

class Counters:
    """The first and the last counter of each FIDO key."""

    def __init__(self):
        self.first, self.last = {}, {}

    def grow(self, blob, counter, rule, name):
        before = self.last.get(blob)
        need(before is None or counter > before or counter == before == 0, rule,
             f"{name}: the key's counter is {counter}, and was {before}")
        self.first.setdefault(blob, counter)
        self.last[blob] = counter

# Rules "roster", "signatures", "quorum" and "order", line by line.

class Request:
    """An asked or plan event, and who signed it."""

    def __init__(self, event, purpose):
        self.event, self.purpose, self.acts = event, purpose, event.fact("acts").split(" ")
        self.signers, self.gathered, self.begun = [], False, False
        self.counts = True  # until its step asks again, or a resumed or a next-roster ends it

class Walk:
    """What the lines come to. A rule of a later format: if self.version >= 2: need(...)."""

    def __init__(self, events):
        self.opened, self.last, self.mode = events[0], None, events[0].fact("mode")
        self.version = FORMATS.index(events[0].fact("format")) + 1
        self.roster, self.next, self.changed, self.closed = None, None, None, False
        self.requests, self.half, self.deviations = [], set(), []
        self.attended, self.present, self.ever, self.proved = "", set(), set(), set()
        self.embedded, self.signatures, self.counters = {}, [], Counters()
        for e in events:
            for name in e.facts:
                home = "done" if name.startswith("canary_") else HOMES.get(name)
                need((not home or e.kind in home.split()) and not name.startswith("begun."),
                     "order", f"{e.where}: {name} in {e.kind}")
            e.need(self.roster or e.kind not in NEED_ROSTER, "roster",
                   f"{e.kind} before any roster")
            getattr(self, "on_" + e.kind.replace("-", "_"), lambda e: None)(e)
            self.last = e

    def on_roster(self, e):
        e.need(not self.roster, "roster", "a second roster")
        self.roster, self.next = Roster(e.fact("roster"), self.mode), None
        e.need(e.fact("roster_sha256") == self.roster.sum, "roster", "another digest")
        self.embedded["roster"] = e.fact("roster").encode()

    def on_next_roster(self, e):
        e.need(not self.changed, "roster", "a next roster after the change")
        self.next, self.proved = Roster(e.fact("next_roster"), self.mode), set()
        e.need(e.fact("next_roster_sha256") == self.next.sum, "roster", "another digest")
        self.embedded[f"{e.seq:04d}-next-roster"] = e.fact("next_roster").encode()
        for r in self.requests:
            r.counts = r.counts and r.purpose != "roster"

    def ask(self, e, purpose):
        e.need(len(self.requests) < MAX_REQUESTS, "order", "more than 1,000 requests")
        for r in self.requests:
            if r.event.step == e.step:
                e.need(r.purpose == purpose, "order", f"{e.step} has two purposes")
                r.counts = False
        self.requests.append(Request(e, purpose))

    def on_asked(self, e):
        purpose = e.fact("purpose") or "attend"
        e.need(purpose in ("attend", "roster"), "order", f"purpose {purpose}")
        need(purpose == "attend" or self.next and e.fact("next_roster_sha256") == self.next.sum,
             "roster", f"{e.where}: not the latest next roster")
        self.ask(e, purpose)

    def on_plan(self, e):
        plan = e.fact("plan").encode()
        e.need(e.fact("sha256") == digest(plan), "order", "another digest")
        self.embedded[f"{e.seq:04d}-plan.txt"] = plan
        self.ask(e, "approve")

    def request(self, e):
        """The request of the step that still counts."""
        for r in self.requests:
            if r.counts and r.event.step == e.step:
                return r
        raise Fault("order", f"{e.where}: step {e.step}: nothing was asked", "bad")

    def asked_of(self, r, person):
        """The statement, rebuilt (the section "Statements")."""
        first, e = self.opened, r.event
        own = {"attend": [("last-final", e.fact("last_final"))],
               "approve": [("plan", e.fact("sha256"))],
               "roster": [("roster", e.fact("next_roster_sha256"))]}[r.purpose]
        if r.purpose != "approve":
            own.append(("nonce", e.fact("nonce." + person.name)))
        return statement("kekceremony statement v1", [
            ("purpose", r.purpose), ("mode", self.mode), ("chain", first.fact("chain")),
            ("ceremony", first.fact("ceremony")), ("kind", first.fact("kind")), ("step", e.step),
            ("head", e.digest), ("statement", SENTENCES[r.purpose]), *own,
            ("signer", person.name), ("key", person.fingerprint)]).encode()

    def on_signed(self, e):
        r = self.request(e)
        roster = self.next if r.purpose == "roster" else self.roster
        person = roster.people.get(e.fact("signer"))
        e.need(person, "signatures", f"the roster has no {e.fact('signer')}")
        e.need(person.name not in r.signers, "signatures", f"{person.name} signed already")
        text, armor = e.fact("statement").encode(), e.fact("signature").encode()
        e.need(text == self.asked_of(r, person), "signatures", "not what was asked")
        fido = self.check(e, roster, person, r.purpose, text, armor, "signatures")
        file = f"{r.event.seq:04d}-{r.purpose}.{person.name}.txt"
        for name, fact in (("key", person.fingerprint), ("namespace", roster.space(r.purpose)),
                           ("file", file), ("fido", fido)):
            e.need(e.fact(name) == fact, "signatures", f"{name} is not {fact}")
        e.need(r.purpose != "approve" or person.name in self.present, "order",
               f"{person.name} did not attend")
        r.signers.append(person.name)
        if r.purpose == "attend":
            self.present.add(person.name)
            self.ever.add(person.name)
        elif r.purpose == "roster":
            self.proved.add(person.name)
        self.embedded[file], self.embedded[file + ".sig"] = text, armor

    def check(self, e, roster, person, purpose, text, armor, rule):
        """All but what ssh-keygen is asked after the last line. Returns the fact fido."""
        where, space = f"{e.where}: {person.name}", roster.space(purpose)
        moment = re.sub("[-:TZ]", "", e.time)
        need(space in person.spaces, rule, f"{where} is not allowed {space}")
        need(not person.before or moment < person.before, rule, f"{where} is not valid any more")
        try:
            key, made_in, algorithm, flags = parse_armor(armor)
        except ValueError:
            raise Fault(rule, f"{where}: not a signature as ssh-keygen writes it", "bad")
        need(key == person.blob and made_in == space.encode(), rule,
             f"{where}: made with another key, or in another namespace")
        self.signatures.append((rule, where, (person, space, moment, text, armor)))
        if not person.kind.startswith("sk-"):
            need(not flags, rule, f"{where}: bytes after the signature")
            return ""
        need(algorithm == person.kind.encode() and len(flags) == 5, rule, f"{where}: its form")
        touched, verified, counter = flags[0] & 1, flags[0] & 4, int.from_bytes(flags[1:], "big")
        need(touched, rule, f"{where}: nobody touched the key")
        need(verified or not roster.verify_user, rule, f"{where}: the user was not verified")
        self.counters.grow(person.blob, counter, rule, where)
        return f"touched, {'user verified, ' if verified else ''}counter {counter}"

    def on_gathered(self, e):
        r = self.request(e)
        e.need(not r.gathered, "order", "gathered already")
        r.gathered = True
        if r.purpose == "roster":
            self.check_proved(e)
        else:
            self.check_quorum(e, r)
        if r.purpose == "attend" or "attended" in e.facts:
            names = [n for n in self.roster.people if n in r.signers and r.purpose == "attend"]
            self.attended = ", ".join(names)
            e.need(e.fact("attended") == self.attended, "signatures", "attended is not who signed")

    def check_quorum(self, e, r):
        signed = len(r.signers) if r.counts else 0
        e.need(signed >= self.roster.quorum, "quorum", f"{signed} have signed")

    def check_proved(self, e):
        for name, person in self.next.people.items():
            old = self.roster.people.get(name)
            e.need(old and old.blob == person.blob or name in self.proved, "quorum",
                   f"{name} has not proved the key")

    def act(self, e):
        """The latest plan that names the act; it must count, and M must have signed it."""
        plans = [r for r in self.requests if r.purpose == "approve" and e.step in r.acts]
        e.need(plans and e.step, "order", f"no plan names {e.step}")
        self.check_quorum(e, plans[-1])
        return plans[-1]

    def on_begun(self, e):
        self.act(e).begun = True
        self.half.add(e.step)

    def on_done(self, e):
        plan = self.act(e)
        self.half.discard(e.step)
        if "next_roster_sha256" in e.facts:
            self.changed = e.fact("next_roster_sha256")
            need(self.next and self.changed == self.next.sum and
                 f"\nnext_roster_sha256: {self.changed}\n" in plan.event.fact("plan"), "roster",
                 f"{e.where}: not the roster of the plan")
            e.need(plan.begun, "order", "nothing was begun")
            self.check_proved(e)

    def on_resumed(self, _):
        if self.last.kind != "waiting":
            self.present = set()
            for r in self.requests:
                r.counts = r.counts and r.begun

    def on_deviation(self, e):
        self.deviations.append(e.step)

    def on_answered(self, e):
        e.need(e.fact("differed") in ("", "none") or e.step in self.deviations, "order",
               "no deviation event before it")

    def on_closed(self, e):
        need(e.fact("outcome") in ("done", "aborted"), "order", f"closed as {e.fact('outcome')}")
        if e.fact("outcome") == "done":
            need(not self.half, "order", f"closed as done, but not {' '.join(sorted(self.half))}")
        else:
            need(any(r.purpose == "attend" and r.counts and r.gathered for r in self.requests),
                 "quorum", "aborted before enough attended")
        self.closed = True

# Rule "finals": the end of the section "Statements".

def check_finals(walk, files):
    """Check final.txt and each final. Returns what lacks, if anything."""
    first, last, lacks = walk.opened, walk.last, []
    need(walk.closed or "final.txt" not in files, "finals", "final.txt of an open log")
    if "final.txt" not in files:
        return "no final.txt"
    core = statement("kekceremony final v1", [
        *((name, first.fact(name)) for name in ("chain", "ceremony", "kind", "mode")),
        ("events", last.seq + 1), ("head", last.digest), ("roster", walk.roster.sum),
        ("next-roster", walk.changed or walk.roster.sum), ("deviations", len(walk.deviations)),
        ("outcome", last.fact("outcome")), ("attended", walk.attended)])
    need(files["final.txt"] == core.encode(), "finals", "final.txt does not follow from the log")
    for name, person in walk.roster.people.items():
        text, armor = files.get(f"final.{name}.txt"), files.get(f"final.{name}.txt.sig")
        end = f"final: {digest(core.encode())}\nsigner: {name}\nkey: {person.fingerprint}\n"
        need(text is None or text in [f"{core}{end}verdict: {v}\n".encode() for v in VERDICTS],
             "finals", f"{name}: not a final over this final.txt")
        if text is None and armor is not None:
            lacks.append(f"a signature of {name} without its statement")
        elif armor is not None:
            need(name in walk.ever, "finals", f"{name} did not attend")
            walk.check(last, walk.roster, person, "final", text, armor, "finals")
    agree = agreeing(walk, files)
    if agree < walk.roster.quorum:
        lacks.append(f"{agree} of {walk.roster.quorum} agree")
    return "; ".join(lacks)

def agreeing(walk, files):
    """How many who may approve signed another verdict than disagree."""
    names = [n for n, p in walk.roster.people.items() if walk.roster.space("approve") in p.spaces]
    return sum(f"final.{n}.txt.sig" in files and
               not files.get(f"final.{n}.txt", b"disagree\n").endswith(b"verdict: disagree\n")
               for n in names)

class Bundle:
    """A bundle that was verified, with what the rule "chain" needs."""

    def __init__(self, path):
        self.path, self.fault, self.walk, self.files = path, None, None, {}
        try:
            self.verify()
        except Fault as fault:
            self.fault = fault
        self.standing = self.fault.standing if self.fault else "good"

    def verify(self):
        self.files = read_bundle(self.path)
        events, torn = parse_log(self.files["events.jsonl"])
        need(not torn or "final.txt" not in self.files, "log", "bytes after the last line feed")
        need(events, "log", "it has no line", "incomplete")
        self.walk = Walk(events)
        check_files(self.files, self.walk)
        lacks, asked = check_finals(self.walk, self.files), self.walk.signatures
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda s: keygen_accepts(*s[2]), asked))
        for (rule, where, _), accepted in zip(asked, answers):
            need(accepted, rule, f"{where}: stock ssh-keygen refuses the signature")
        need(not torn, "log", "the last line is torn", "incomplete")
        need(not lacks, "finals", lacks, "incomplete")

    def fact(self, name):
        return self.walk.opened.fact(name)

    def final(self):
        return digest(self.files["final.txt"]) if "final.txt" in self.files else None

# Rules "chain" and "expect".

def check_chain(bundles):
    need(bundles, "chain", "no bundle")
    for b in bundles:
        need(b.walk, "chain", f"{b.path!a}: it has no line", "incomplete")
    bundles = sorted(bundles, key=lambda b: int(b.fact("ceremony")))
    prevs = [b.walk.opened.prev for b in bundles]
    need(len(set(prevs)) == len(prevs), "chain", "a fork: two have the same prev")
    counters, before = Counters(), None
    for number, b in enumerate(bundles, 1):
        need(b.fact("ceremony") == str(number), "chain", f"a gap: ceremony {number} is missing")
        want = before.final() if before else NO_DIGEST
        need(b.walk.opened.prev == want, "chain", f"ceremony {number}: its prev")
        if before:
            check_next(before, b)
        for blob, counter in b.walk.counters.first.items():
            counters.grow(blob, counter, "chain", f"ceremony {number}")
        counters.last.update(b.walk.counters.last)
        before = b

def check_next(before, b):
    """What a ceremony takes over from the one before."""
    number = b.fact("ceremony")
    for name in ("chain", "mode"):
        need(b.fact(name) == before.fact(name), "chain", f"ceremony {number}: another {name}")
    need(not b.walk.roster or b.walk.roster.sum == (before.walk.changed or before.walk.roster.sum),
         "chain", f"ceremony {number}: not the roster that the one before left")
    listed = {name[9:]: value for name, value in b.walk.opened.facts.items()
              if name.startswith("previous.")}
    have = {name: digest(f) for name, f in before.files.items() if name.startswith("final.")}
    for name, value in listed.items():
        need(have.get(name) == value, "chain",
             f"{name} before ceremony {number} is missing, or is another")
    enough = "final.txt" in listed and agreeing(
        before.walk, {name: before.files[name] for name in listed}) >= before.walk.roster.quorum
    need(enough or set(have) == set(listed), "chain",
         f"a final before ceremony {number} was added after it began")

def check_expected(bundles, paper):
    """What stands on paper is the final digest or the chain of a bundle."""
    known = [b.final() for b in bundles] + [b.fact("chain") for b in bundles if b.walk]
    need(paper in known, "expect", f"no final digest and no chain is {paper}")

def main(args):
    papers, chain, standings = [], False, []
    while args and args[0].startswith("--"):
        option, *args = args
        chain = chain or option == "--chain"
        if option == "--expect" and args:
            papers.append("".join(args.pop(0).split()).lower())
        elif option != "--chain":
            args = []
    papers_good = all(re.fullmatch("[0-9a-f]{32}|[0-9a-f]{64}", paper) for paper in papers)
    if not args or not papers_good or not all(map(os.path.exists, args)):
        print(__doc__, file=sys.stderr)
        return 64

    def tell(fault, before=""):
        standings.append(fault.standing if fault else "good")
        print(f"{before}{fault or 'good'}")

    for paths in [bundles_of(folder) for folder in args] if chain else [args]:
        bundles = [Bundle(path) for path in paths]
        for b in bundles:
            plain = b.path.isascii() and b.path.isprintable()
            path = f"{b.path if plain else ascii(b.path)}: "
            tell(b.fault, path if chain or len(paths) > 1 else "")
        checks = [(check_expected, bundles, paper) for paper in papers]
        if chain and "bad" not in [b.standing for b in bundles]:
            checks.insert(0, (check_chain, bundles))
        for check, *given in checks:
            try:
                check(*given)
            except Fault as fault:
                tell(fault)
    return 4 if "bad" in standings else 5 if "incomplete" in standings else 0

def bundles_of(folder):
    """The bundles in a directory. What is no bundle is foreign, and so is a link."""
    paths = sorted(e.path for e in os.scandir(folder) if e.is_dir(follow_symlinks=False))
    return [path for path in paths if os.path.lexists(os.path.join(path, "events.jsonl"))]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
