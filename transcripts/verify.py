#!/usr/bin/env python3
"""Verify transcripts of kekceremony: a second reading of docs/transcript-format.md.

Usage: verify.py [--expect DIGEST]... BUNDLE...
       verify.py [--expect DIGEST]... --chain DIR...

Prints "good", "void: why", "incomplete: RULE: why" or "bad: RULE: why" and exits 0, 5, 5 or 4
(64: usage); of several bundles it prints a line each, after the path. Of a chain, what is void
does not count. It needs Python 3.8 and ssh-keygen
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
import types

FORMATS = ("kekceremony transcript v1", "kekceremony transcript v2")
MAX_FILES, MAX_BYTES, MAX_ROSTER, MAX_REQUESTS = 2000, 8 << 20, 64 << 10, 1000
KINDS = ("opened roster next-roster answered found noted deviation asked plan signed gathered"
         " begun done failed waiting resumed closed").split()
FACTUAL = "opened roster next-roster answered found gathered done".split()
NEED_ROSTER = "asked plan signed gathered begun done closed".split()
MANY_LINES = "roster next_roster plan statement signature exclude".split()
FIRST = {"format": "|".join(FORMATS), "chain": "[0-9a-f]{32}", "mode": "production|rehearsal",
         "ceremony": "[1-9][0-9]{0,18}"}
HOMES = {"chain|ceremony|kind|mode|from|to|generate|exclude|rebuild|records|pointer|version|epoch|fence|compromised|stays|disabled_by|wait_ends|closes": "opened",  # facts, and their kinds
         "roster|roster_sha256": "roster", "next_roster": "next-roster",
         "next_roster_sha256": "next-roster asked done", "attended": "gathered",
         "changed|locked|retired|fenced|standing|open_copies|canary_.*|adopted_.*": "done", r"begun\..*|attempts": "no kind",
         "bound": "opened", "operator|reason": "answered", "wait|gone_before": "found", "attempt|kept": "noted"}
REQUIRED = {"install": ["generate", "canary", "lock"], "generate": ["generate", "canary"],
            "rotate": ["switch", "re-wrap", "retire"], "roster": ["change"],
            "reconcile": ["take-over"], "adopt": ["adopt", "lock"], "disable": ["disable"],
            "enable": ["enable"], "destroy": ["destroy"], "compromise": ["compromise"]}
FRESH = ["adopt", "generate", "canary", "change", "rebuild", "destroy"]
WHOLE = {"opened": "kind tool tool_sha256 script_sha256 store",  # facts that v2 demands
         "deviation": "what expected seen decided by"}
COUNTS = "rewrapped current conflicts poison excluded".split()
SPACES = {f"{purpose}{mode}-v1@kekceremony" for purpose in ("attend", "approve", "final", "roster")
          for mode in ("", "-rehearsal")}
TYPES = ("ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 ssh-rsa"
         " sk-ssh-ed25519@openssh.com sk-ecdsa-sha2-nistp256@openssh.com").split()
SENTENCES = {
    "attend": "I am present at this ceremony, and the key named below is mine.",
    "approve": "I have read the plan of this digest and approve that exactly it is done.",
    "roster": "The key named below is mine, and I join the roster of this digest.",
}

class Fault(Exception):
    """A rule that a bundle breaks ("bad"), or what it lacks ("incomplete")."""

    def __init__(self, rule, why, standing="bad"):
        super().__init__(f"{standing}: {rule + ': ' if rule else ''}{why}")
        self.rule, self.why, self.standing = rule, why, standing

def need(holds, rule, why, standing="bad"):
    if not holds:
        raise Fault(rule, why, standing)

def fault_of(check, *given):
    """The rule that a check finds broken, or None."""
    try:
        return check(*given)
    except Fault as fault:
        return fault

def digest(data):
    return hashlib.sha256(data).hexdigest()

def is_date(digits):
    """Is YYYYMMDDHHMMSS a second there is, after 1970-01-01 00:00:00?"""
    try:
        datetime.datetime.strptime(digits, "%Y%m%d%H%M%S")
    except ValueError:
        return False
    return digits > "19700101000000"

# Rule "files": the section "Files".

def read_bundle(path):
    """Every file of a bundle. No link is followed, and not more read than a bundle may have."""
    try:
        folder, files, size = os.open(path, os.O_RDONLY | os.O_DIRECTORY), {}, 0
    except OSError as err:
        raise Fault("files", err.strerror)
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
        raise Fault("files", f"{err.filename!a}: {err.strerror}")
    finally:
        os.close(folder)

def check_files(files, walk):
    """Each embedded file is as in the log, and there is no file that nothing names. Returns what
    lacks while the log is open: a file that is not there, or only its beginning."""
    lacks = ""
    for name, data in walk.embedded.items():
        have = files.get(name, b"")
        fault = f"{name} is missing, or not as in the log"
        need(data.startswith(have), "files", fault)
        if have != data:
            need(not walk.closed and "final.txt" not in files, "files", fault)
            lacks = lacks or fault
    known = {"events.jsonl", "final.txt", *walk.embedded}
    if walk.roster and "final.txt" in files:
        known |= {f"final.{n}.txt{end}" for n in walk.roster.people for end in ("", ".sig")}
    known |= {"void.txt"} if walk.void else set()
    for name in files:
        need(name in known, "files", f"{name!a}: the log names no such file")
    return lacks

# Rule "log": the section "Lines".

class Event(dict):
    """A line of the log. It is a dict of its facts, of which one that is absent is empty."""

    def __init__(self, line):
        need(re.fullmatch(rb"[ -~]*\n", line), "log", "not printable ASCII")
        try:
            e = json.loads(line)
            super().__init__(e.get("facts", {}))
            self.digest, self.prev, self.seq = digest(line), e["prev"], e["seq"]
            self.time, self.kind, self.step = e["time"], e["kind"], e.get("step", "")
            same = self.encode() == line
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            same = False
        need(same, "log", "not in the one encoding of an event")
        self.moment = re.sub("[-:TZ]", "", self.time)
        need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", self.time) and is_date(self.moment),
             "log", f"time {self.time}")
        need(self.kind in KINDS, "log", f"kind {self.kind}")

    def __missing__(self, name):
        return ""

    def encode(self):
        """The one encoding of an event. What has none is an error."""
        one_line = [self.prev, self.time, self.kind, self.step, *self]
        one_line += [value for name, value in self.items() if name not in MANY_LINES]
        if not (type(self.seq) is int and re.fullmatch("[ -~]*", "".join(one_line)) and
                re.fullmatch("[ -~\n]*", "".join(self.values()))):
            raise ValueError
        e = {"prev": self.prev, "seq": self.seq, "time": self.time, "kind": self.kind}
        for name, value in ("step", self.step), ("facts", dict(sorted(self.items()))):
            if value:
                e[name] = value
        return json.dumps(e, separators=(",", ":")).encode() + b"\n"

def parse_log(data):
    """The events, and whether the last line is torn."""
    *lines, rest = data.split(b"\n")
    events = []
    for number, line in enumerate(lines):
        try:
            e = Event(line + b"\n")
            need(e.seq == number, "log", f"its seq is not {number}")
            need((e.kind == "opened") == (number == 0), "log", f"is {e.kind}")
            need(not events or e.prev == events[-1].digest, "log", "not the digest before")
            need(not events or events[-1].kind != "closed", "log", "follows the closed line")
        except Fault as fault:
            raise Fault("log", f"line {number + 1}: {fault.why}")
        events.append(e)
    if events:
        first = events[0]
        for name, form in FIRST.items():
            need(re.fullmatch(form, first[name]), "log", f"line 1: its {name}")
        need(int(first["ceremony"]) < 1 << 63, "log", "line 1: its ceremony")
        makes = first["kind"] in ("install", "generate") or first["kind"] == "rotate" and first["generate"] == "yes"
        need("bound" not in first or first["bound"] == "yes" and makes, "log", "line 1: its bound")
        need(re.fullmatch("[0-9a-f]{64}", first.prev), "log", "line 1: its prev")
    return events, rest != b""

# Rule "roster": the section "Roster".

Person = collections.namedtuple("Person", "name options spaces before kind key blob fingerprint")

class Roster:
    """Who may sign, and how many must."""

    LINE = re.compile(r' *([a-z][a-z0-9_-]{0,31}) +(namespaces="([^"]+)"'
                      r'(?:,valid-after="(\d{14})Z")?(?:,valid-before="(\d{14})Z")?)'
                      r' +([^ ]+) +([^ ]+)(?: .*)?')

    def __init__(self, event, fact, mode):
        text = event[fact]
        need(len(text) <= MAX_ROSTER and re.fullmatch(r"([ -~]*\n)+", text), "roster",
             "a roster is lines of ASCII, at most 64 KiB")
        first, *lines = text.split("\n")[:-1]
        need(re.fullmatch("# quorum: [1-9][0-9]?", first), "roster", "no line # quorum: M")
        self.sum, self.quorum, self.people = digest(text.encode()), int(first[10:]), {}
        self.mode, self.verify_user = mode, "# user-verification: required" in lines
        for line in lines:
            need(line == "# user-verification: required" or
                 not line.startswith("# user-verification"), "roster", line)
            if line and not line.startswith("#"):
                self.add(line)
        need(len(self.may("approve")) >= self.quorum, "roster", "too few may approve")
        need(event[fact + "_sha256"] == self.sum, "roster", "another digest")

    def add(self, line):
        m = self.LINE.fullmatch(line)
        need(m, "roster", f"not a line of a roster: {line}")
        name, options, spaces, after, before, kind, key = m.groups()
        spaces = tuple(spaces.split(","))
        need(set(spaces) <= SPACES, "roster", f"{name}: {options}")
        need(all(map(is_date, filter(None, (after, before)))), "roster", f"{name}: {options}")
        need(not after or not before or after < before, "roster", f"{name} is never valid")
        try:
            blob = base64.b64decode(key, validate=True)
        except ValueError:
            blob = b""
        need(base64.b64encode(blob).decode() == key, "roster", f"{name}: not the base64 of a key")
        fingerprint = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        fingerprint = "SHA256:" + fingerprint
        need(kind in TYPES and keygen_reads(kind, key, fingerprint), "roster",
             f"{name}: no such key")
        need(name not in self.people and blob not in [p.blob for p in self.people.values()],
             "roster", f"{name}, or the key, is there twice")
        self.people[name] = Person(name, options, spaces, before, kind, key, blob, fingerprint)

    def space(self, purpose):
        return purpose + ("" if self.mode == "production" else "-rehearsal") + "-v1@kekceremony"

    def may(self, purpose):
        return [n for n, p in self.people.items() if self.space(purpose) in p.spaces]

def keygen(args, data):
    return subprocess.run(["ssh-keygen", *args], input=data, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

@functools.lru_cache(maxsize=None)
def keygen_reads(kind, key, fingerprint):
    """Does stock ssh-keygen take this for a key of this type, and long enough?"""
    done = keygen(["-l", "-f", "-"], f"{kind} {key}\n".encode())
    bits, printed = (done.stdout.decode("ascii", "replace").split() + ["0", ""])[:2]
    long = kind != "ssh-rsa" or int(bits) >= 2048
    return done.returncode == 0 and printed == fingerprint and long

# Rule "signatures": the section "Statements"; and rule "stock".

def statement(title, pairs):
    return title + "\n" + "".join(f"{name}: {value}\n" for name, value in pairs)

@functools.lru_cache(maxsize=None)
def keygen_accepts(person, space, moment, text, armor):
    """Does stock ssh-keygen accept the signature, at the time of its line?"""
    with tempfile.TemporaryDirectory() as folder:
        signers, sig = os.path.join(folder, "signers"), os.path.join(folder, "sig")
        with open(signers, "w") as f:
            f.write(f"{person.name} {person.options} {person.kind} {person.key}\n")
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

def grow(counters, blob, counter, rule, name):
    """Take the next counter of a FIDO key."""
    *_, before = seen = counters.setdefault(blob, [-1])
    need(counter > before or counter == before == 0, rule,
         f"{name}: the key's counter is {counter}, and was {before}")
    seen.append(counter)

# Rules "roster", "signatures", "quorum" and "order", line by line.

class Walk:
    """What the lines come to. What format v2 demands besides is in newest."""

    def __init__(self, events):
        self.opened, self.last, self.mode = events[0], events[0], events[0]["mode"]
        self.version = FORMATS.index(self.opened["format"]) + 1
        self.roster, self.next, self.changed, self.closed = None, None, None, False
        self.requests, self.asked, self.purposes = {}, 0, {}  # by step, those that still count
        self.plans, self.begun, self.done, self.half = {}, set(), set(), set()  # by act
        self.told = {}  # facts, of which the last one counts
        self.attended, self.present, self.ever, self.proved = "", set(), set(), set()
        self.embedded, self.signatures, self.counters, self.deviations = {}, [], {}, []
        self.answers, self.said, self.void = {}, False, False  # said: by the step void
        self.kept, self.times, self.outcome = False, {}, ""  # kept: a destruction left the key; times: of begun acts
        self.keeping = False  # enough approved that the key is kept
        for e in events:
            try:
                self.take(e)
            except Fault as fault:
                raise Fault(fault.rule, f"line {e.seq + 1}: {fault.why}")
            self.last = e

    def take(self, e):
        for name in e:
            for names, kinds in HOMES.items():
                need(not re.fullmatch(names, name) or e.kind in kinds.split(), "order",
                     f"{name} in {e.kind}")
        need(self.roster or e.kind not in NEED_ROSTER or
             e.kind == "closed" and e["outcome"] == "void", "roster", f"{e.kind} before any roster")
        getattr(self, "on_" + e.kind.replace("-", "_"), lambda e: None)(e)
        if self.version >= 2:
            self.newest(e)
        if e.kind in FACTUAL:
            self.told.update(e)

    def newest(self, e):
        """The section "What v2 adds"."""
        wanted = WHOLE.get(e.kind, "").split()
        if e.kind in ("asked", "gathered"):
            r = self.requests[e.step]
            people = (self.next if r.purpose == "roster" else self.roster).people
        if e.kind == "asked":
            wanted += ["nonce." + name for name in people]
            wanted += ["last_final"] if r.purpose == "attend" else []
            need(sum(name.startswith("nonce.") for name in e) <= len(people), "order",
                 "a nonce for a stranger")
        elif e.kind == "gathered":
            fact = {"attend": "attended", "roster": "joined"}.get(r.purpose, e.step + "_signed")
            need(e[fact] == ", ".join(n for n in people if n in r.signers), "signatures",
                 f"{fact} is not who signed")
        elif e.kind == "done" and e.step == "re-wrap" and "scanned" in e:
            counts = [e[name] for name in COUNTS]
            need(all(re.fullmatch("0|[1-9][0-9]{0,14}", n) for n in counts) and
                 e["scanned"] == str(sum(map(int, counts))), "order", "the counts do not add up")
        elif e.kind == "closed" and e["outcome"] in ("aborted", "void"):
            wanted += ["done", "begun"]
        elif e.kind == "closed":
            lacks = self.required() - self.done
            need(not lacks, "order", f"closed as done, but not {' '.join(sorted(lacks))}")
            for v in self.opened["compromised"].split(" ") if self.opened["compromised"] else []:
                need(self.told.get(f"exposed_{v}_sha256"), "order", f"no list of what version {v} exposed")
        for name in wanted:
            need(e[name], "order", f"{e.kind} without {name}")

    def on_roster(self, e):
        need(not self.roster, "roster", "a second roster")
        self.roster, self.next = Roster(e, "roster", self.mode), None
        self.embedded["roster"] = e["roster"].encode()

    def on_next_roster(self, e):
        need(not self.changed, "roster", "a next roster after the change")
        self.next, self.proved = Roster(e, "next_roster", self.mode), set()
        self.embedded[f"{e.seq:04d}-next-roster"] = e["next_roster"].encode()
        self.requests = {s: r for s, r in self.requests.items() if r.purpose != "roster"}

    def on_asked(self, e):
        purpose = e["purpose"] or "attend"
        need(purpose in ("attend", "roster"), "order", f"purpose {purpose}")
        need(purpose == "attend" or self.next and e["next_roster_sha256"] == self.next.sum,
             "roster", "not the latest next roster")
        self.ask(e, purpose)

    def on_plan(self, e):
        plan = e["plan"].encode()
        need(e["sha256"] == digest(plan), "order", "another digest")
        self.embedded[f"{e.seq:04d}-plan.txt"] = plan
        request = self.ask(e, "approve")
        self.plans.update(dict.fromkeys(e["acts"].split(), request))

    def ask(self, e, purpose):
        self.asked += 1
        need(self.asked <= MAX_REQUESTS, "order", "more than 1,000 requests")
        need(self.purposes.setdefault(e.step, purpose) == purpose, "order",
             f"{e.step} has two purposes")
        need(e.get("last_final", self.opened.prev) == self.opened.prev, "order",
             "last_final is not the prev of line 1")
        before = self.requests.get(e.step)  # in v1 a request takes over that an act was begun
        r = types.SimpleNamespace(event=e, purpose=purpose, signers=[], gathered=False,
                                  begun=self.version < 2 and bool(before) and before.begun)
        self.requests[e.step] = r
        return r

    def request(self, e):
        """The request of the step that still counts."""
        need(e.step in self.requests, "order", f"step {e.step}: nothing was asked")
        return self.requests[e.step]

    def asked_of(self, r, person):
        """The statement, rebuilt (the section "Statements")."""
        e, nonce = r.event, ("nonce", r.event["nonce." + person.name])
        own = {"attend": [("last-final", e["last_final"]), nonce],
               "approve": [("plan", e["sha256"])],
               "roster": [("roster", e["next_roster_sha256"]), nonce]}[r.purpose]
        return statement("kekceremony statement v1", [
            ("purpose", r.purpose),
            *((name, self.opened[name]) for name in ("mode", "chain", "ceremony", "kind")),
            ("step", e.step), ("head", e.digest), ("statement", SENTENCES[r.purpose]), *own,
            ("signer", person.name), ("key", person.fingerprint)]).encode()

    def on_signed(self, e):
        r = self.request(e)
        roster = self.next if r.purpose == "roster" else self.roster
        person = roster.people.get(e["signer"])
        need(person, "signatures", f"the roster has no {e['signer']}")
        need(person.name not in r.signers, "signatures", f"{person.name} signed already")
        text, armor = e["statement"].encode(), e["signature"].encode()
        need(text == self.asked_of(r, person), "signatures", "not what was asked")
        file = f"{r.event.seq:04d}-{r.purpose}.{person.name}.txt"
        facts = {"key": person.fingerprint, "namespace": roster.space(r.purpose), "file": file,
                 "fido": self.check(e, roster, person, r.purpose, text, armor, "signatures")}
        for name, fact in facts.items():
            need(e[name] == fact, "signatures", f"{name} is not {fact}")
        need(r.purpose != "approve" or person.name in self.present, "order",
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
        name, space = person.name, roster.space(purpose)
        need(space in person.spaces, rule, f"{name} is not allowed {space}")
        need(not person.before or e.moment < person.before, rule, f"{name} is not valid any more")
        try:
            key, made_in, algorithm, flags = parse_armor(armor)
        except ValueError:
            raise Fault(rule, f"{name}: not a signature as ssh-keygen writes it")
        need(key == person.blob and made_in == space.encode(), rule,
             f"{name}: made with another key, or in another namespace")
        self.signatures.append((rule, e.seq + 1, (person, space, e.moment, text, armor)))
        if not person.kind.startswith("sk-"):
            need(not flags, rule, f"{name}: bytes after the signature")
            return ""
        need(algorithm == person.kind.encode() and len(flags) == 5, rule, f"{name}: its form")
        touched, verified, counter = flags[0] & 1, flags[0] & 4, int.from_bytes(flags[1:], "big")
        need(touched, rule, f"{name}: nobody touched the key")
        need(verified or not roster.verify_user, rule, f"{name}: the user was not verified")
        grow(self.counters, person.blob, counter, rule, name)
        return f"touched, {'user verified, ' if verified else ''}counter {counter}"

    def on_gathered(self, e):
        r = self.request(e)
        need(not r.gathered, "order", "gathered already")
        need(r.purpose == "attend" or "attended" not in e, "order", "no attendance was gathered")
        r.gathered = True
        if r.purpose == "roster":
            self.check_proved()
        else:
            self.check_quorum(r)
            self.keeping = self.keeping or e.step == "approve-keep"
        if r.purpose == "attend":
            self.attended = ", ".join(n for n in self.roster.people if n in r.signers)
            need(e["attended"] == self.attended, "signatures", "attended is not who signed")

    def check_quorum(self, r):
        signed = len(r.signers) if self.requests.get(r.event.step) is r else 0
        need(signed >= self.roster.quorum, "quorum", f"{signed} have signed")

    def check_proved(self):
        for name, person in self.next.people.items():
            old = self.roster.people.get(name)
            need(old and old.blob == person.blob or name in self.proved, "quorum",
                 f"{name} has not proved the key")

    def plan(self, e):
        """The latest plan that names the act; it must count, and M must have signed it."""
        need(e.step in self.plans, "order", f"no plan names {e.step}")
        self.check_quorum(self.plans[e.step])
        return self.plans[e.step]

    def still_destroys(self, e):
        need(e.step != "destroy" or not self.keeping, "order", "a key is destroyed after enough approved that it is kept")

    def on_begun(self, e):
        self.plan(e).begun = True
        self.still_destroys(e)
        self.begun.add(e.step)
        self.half.add(e.step)
        self.times.setdefault(e.step, e.time)

    def on_noted(self, e):
        if "attempt" in e:
            self.still_destroys(e)
        if "destroy" not in self.begun:
            return
        if e.step == "destroy":
            self.kept = "kept" in e
        elif e.step == "keep" and "kept" in e:
            r = self.requests.get("approve-keep")
            need(r and r.purpose == "approve" and r.gathered, "quorum", "a key was kept before enough approved it")
            self.kept = True

    def wait(self):
        """How long a version that was disabled waits, by the plan, in seconds. None: it was not."""
        if self.outcome != "done" or "disable" not in self.done:
            return None
        return seconds(self.plan(Act("disable")).event["plan"])

    def on_done(self, e):
        plan = self.plan(e)
        self.still_destroys(e)
        need(e.step in self.begun or e.step not in FRESH, "order", "done before it was begun")
        for name, value in e.items():
            version = re.fullmatch("(adopted|canary)_(.*?)(_sha256)?", name)
            if version and version[1] == "adopted":
                need(e.step == "adopt" and
                     f"\nkey: {name[8:]} id {value}\n" in plan.event["plan"], "order",
                     f"{name} is not in the plan")
            elif version and self.opened["kind"] == "adopt":
                need("adopted_" + version[2] in e, "order", f"{name}, which was not adopted")
        if e.step == "disable":
            need(f"\nversion: {self.opened['version']}\n" in plan.event["plan"], "order",
                 "a version was disabled that the plan does not name")
            need(seconds(plan.event["plan"]), "order", "disabled without a waiting period")
        self.done.add(e.step)
        self.half.discard(e.step)
        if "next_roster_sha256" in e:
            self.changed = e["next_roster_sha256"]
            need(self.next and self.changed == self.next.sum and
                 f"\nnext_roster_sha256: {self.changed}\n" in plan.event["plan"], "roster",
                 "not the roster of the plan")
            self.check_proved()

    def on_resumed(self, _):
        if self.last.kind != "waiting":
            self.present = set()
            self.requests = {s: r for s, r in self.requests.items() if r.begun}

    def on_deviation(self, e):
        self.deviations.append(e.step)

    def on_answered(self, e):
        need(e["differed"] in ("", "none") or e.step in self.deviations, "order",
             "no deviation event before it")
        self.answers.update(e)
        self.said = self.said or e.step == "void"

    def on_closed(self, e):
        need(e["outcome"] in ("done", "aborted", "void"), "order", f"closed as {e['outcome']}")
        self.void, self.outcome = e["outcome"] == "void", e["outcome"]
        need(self.outcome != "aborted" or "destroy" not in self.half or self.kept, "order",
             "aborted, and a destruction was begun")
        attend = any(r.purpose == "attend" and r.gathered for r in self.requests.values())
        if e["outcome"] == "done":
            need(not self.half, "order", f"closed as done, but not {' '.join(sorted(self.half))}")
        else:
            if e["outcome"] == "void":
                self.check_void()
            need(attend or self.void and not self.ever, "quorum", "before enough attended for it")
            for name, acts in (("done", self.done), ("begun", self.half)):
                told = [] if e[name] == "none" else sorted(e[name].split(", "))
                need(name not in e or told == sorted(acts), "order", f"{name} is not what was")
        self.closed = True

    def check_void(self):
        """The section "Void": an install that was given up before it made anything."""
        first = self.opened
        need(first["kind"] in ("install", "adopt") and first["ceremony"] == "1" and first.prev == "0" * 64,
             "order", "void, and not the first of a chain")
        need(not self.done, "order", "void, and something is done")
        need(self.said and self.answers.get("operator") and self.answers.get("reason"), "order",
             "void, and nobody says who gave it up and why")

    def required(self):
        """The acts that must be done; none if the kind is unknown."""
        kind, generate = self.opened["kind"], self.opened["generate"] == "yes"
        also = REQUIRED["generate"] if kind == "rotate" and generate else []
        also = ["rebuild"] if kind == "reconcile" and self.opened["rebuild"] else also
        also = [*also, "fence"] if self.opened["fence"] == "yes" and kind in REQUIRED else also
        return {*REQUIRED.get(kind, []), *also}

# Rule "finals": the end of the section "Statements".

# What a person says after the core, its digest, the name and the key.
SAID = re.compile(rb"verdict: (?:followed|(?:deviations|disagree)(?:\nwords: (?! )"
                  rb"(?:\\u\{[0-9a-f]{1,6}\}|\\x\{[0-9a-f]{2}\}|[ -\[\]-~]){1,240}(?<! ))?)\n")

def check_finals(walk, files):
    """Check final.txt and each final. Returns what lacks, if anything."""
    first, last, lacks = walk.opened, walk.last, []
    need(walk.closed or "final.txt" not in files, "finals", "final.txt of an open log")
    if walk.void and not walk.ever:
        need("final.txt" not in files, "finals", "final.txt, and nobody attended")
        return check_note(walk, files)
    if "final.txt" not in files:
        return "no final.txt"
    core = statement("kekceremony final v1", [
        *((name, first[name]) for name in ("chain", "ceremony", "kind", "mode")),
        ("events", last.seq + 1), ("head", last.digest), ("roster", walk.roster.sum),
        ("next-roster", walk.changed or walk.roster.sum), ("deviations", len(walk.deviations)),
        ("outcome", last["outcome"]), ("attended", walk.attended)])
    need(files["final.txt"] == core.encode(), "finals", "final.txt does not follow from the log")
    for name, person in walk.roster.people.items():
        text, armor = files.get(f"final.{name}.txt"), files.get(f"final.{name}.txt.sig")
        end = f"final: {digest(core.encode())}\nsigner: {name}\nkey: {person.fingerprint}\n"
        need(text is None or text.startswith((core + end).encode()) and SAID.fullmatch(text[len(core + end):]),
             "finals", f"{name}: not a final over this final.txt")
        if text is None and armor is not None:
            lacks.append(f"a signature of {name} without its statement")
        elif armor is not None:
            need(name in walk.ever, "finals", f"{name} did not attend")
            walk.check(last, walk.roster, person, "final", text, armor, "finals")
    agree = agreeing(walk, files)
    if walk.void:  # it is, whatever they say of it
        agree = sum({f"final.{n}.txt", f"final.{n}.txt.sig"} <= files.keys()
                    for n in walk.roster.may("approve"))
    if agree < walk.roster.quorum:
        lacks.append(f"{agree} of {walk.roster.quorum} agree")
    if walk.void and not lacks:
        lacks.append(check_note(walk, files))
    return "; ".join(lacks)

def check_note(walk, files):
    """Check void.txt. Returns what lacks, if anything."""
    first, last = walk.opened, walk.last
    note = statement("kekceremony void v1", [
        *((name, first[name]) for name in ("chain", "ceremony", "kind", "mode")),
        ("events", last.seq + 1), ("head", last.digest), ("time", last.time),
        *((name, walk.answers[name]) for name in ("operator", "reason")),
        ("attended", walk.attended)]).encode()
    have = files.get("void.txt", b"")
    need(note.startswith(have), "finals", "void.txt does not follow from the log")
    return "" if have == note else "void.txt is missing, or is cut"

def agreeing(walk, files):
    """How many who may approve signed another verdict than disagree."""
    return sum(f"final.{n}.txt.sig" in files and
               b"\nverdict: disagree\n" not in files.get(f"final.{n}.txt", b"\nverdict: disagree\n")
               for n in walk.roster.may("approve"))

class Bundle:
    """A bundle that was verified, with what the rule "chain" needs."""

    def __init__(self, path):
        self.path, self.walk, self.files = path, None, {}
        self.fault = fault_of(self.verify)

    def verify(self):
        self.files = read_bundle(self.path)
        events, torn = parse_log(self.files["events.jsonl"])
        ended = "final.txt" in self.files
        need(not (ended and torn), "log", "bytes after the last line feed")
        need(events, "log", "it has no line", "bad" if ended else "incomplete")
        self.walk = Walk(events)
        unwritten = check_files(self.files, self.walk)
        lacks, asked = check_finals(self.walk, self.files), self.walk.signatures
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda s: keygen_accepts(*s[2]), asked))
        for (rule, line, given), accepted in zip(asked, answers):
            need(accepted, rule, f"line {line}: ssh-keygen refuses what {given[0].name} signed")
        need(not torn, "log", "the last line is torn", "incomplete")
        need(not unwritten, "files", unwritten, "incomplete")
        need(not lacks, "finals", lacks, "incomplete")
        need(not self.walk.void, "", "given up, and outside every chain", "void")

    def is_void(self):
        return bool(self.walk and self.walk.void)

    def final(self):
        return digest(self.files["final.txt"]) if "final.txt" in self.files else None

# Rules "chain" and "expect".

Act = collections.namedtuple("Act", "step")

DURATION = re.compile("(?:(?:[0-9]+h)?[0-9]+m)?[0-9]+(?:[.][0-9]+)?s|[0-9]+(?:[.][0-9]+)?(?:ms|µs)|[0-9]+ns")

def seconds(plan):
    """The first line wait of a plan, a duration such as 720h0m0s, in seconds. None: there is none."""
    wait = re.search("^wait: (.*)$", plan, re.M)
    if not wait or not DURATION.fullmatch(wait[1]):
        return None
    units = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
    return sum(float(n) * units[unit] for n, unit in re.findall("([0-9.]+)(h|ms|µs|ns|m|s)", wait[1]))

def clock(text):
    return datetime.datetime.strptime(text + "+0000", "%Y-%m-%dT%H:%M:%SZ%z").timestamp()

def check_destroyed(bundles, b, where):
    """The section "Destruction": of a version that was disabled, and not before its time."""
    walk, first = b.walk, b.walk.opened
    if "destroy" not in walk.begun:
        return
    same = [o for o in bundles if o.walk.opened["version"] == first["version"]]
    if first["closes"] == "yes":
        need(any("destroy" in o.walk.done and o.walk.opened["disabled_by"] == first["disabled_by"]
                 for o in same), "chain", f"{where}: closes copies, and nothing was destroyed")
        return
    by = [o for o in same if f'{o.walk.opened["ceremony"]} {o.final()}' == first["disabled_by"]
          and o.walk.wait()]
    need(by, "chain", f"{where}: its version was not disabled as it says")
    since = same[same.index(by[0]):]
    need(not any("enable" in o.walk.done for o in since), "chain", f"{where}: enabled since")
    need(clock(walk.times["destroy"]) >= int(clock(by[0].walk.last.time) + by[0].walk.wait()), "chain",
         f"{where}: it began before the waiting period was over")

def check_chain(bundles):
    void = {b.walk.opened["chain"] for b in bundles if b.is_void()}
    need(not any(b.walk and not b.is_void() and b.walk.opened["chain"] in void for b in bundles),
         "chain", "a ceremony of a chain that was given up")
    bundles = [b for b in bundles if not b.is_void()]
    need(bundles, "chain", "no bundle", "incomplete")
    for b in bundles:
        need(b.walk, "chain", f"{b.path!a}: it has no line", "incomplete")
    bundles = sorted(bundles, key=lambda b: int(b.walk.opened["ceremony"]))
    prevs = [b.walk.opened.prev for b in bundles]
    need(len(set(prevs)) == len(prevs), "chain", "a fork: two have the same prev")
    counters, final = {}, "0" * 64
    for number, b in enumerate(bundles, 1):
        first = b.walk.opened
        need(first["ceremony"] == str(number), "chain", f"a gap: ceremony {number} is missing")
        need(first.prev == final, "chain", f"ceremony {number}: its prev")
        if number > 1:
            check_next(bundles[number - 2], b, f"ceremony {number}")
        check_destroyed(bundles[:number - 1], b, f"ceremony {number}")
        for blob, (_, *seen) in b.walk.counters.items():
            for counter in seen:
                grow(counters, blob, counter, "chain", f"ceremony {number}")
        final = b.final()

def check_next(before, b, where):
    """What a ceremony takes over from the one before."""
    old, new, first = before.walk, b.walk, b.walk.opened
    need(new.version >= old.version, "chain", f"{where}: an older format")
    for name in ("chain", "mode"):
        need(first[name] == old.opened[name], "chain", f"{where}: another {name}")
    need(not new.roster or new.roster.sum == (old.changed or old.roster.sum), "chain",
         f"{where}: not the roster that the one before left")
    listed = {name[9:]: value for name, value in first.items() if name.startswith("previous.")}
    have = {name: digest(f) for name, f in before.files.items() if name.startswith("final.")}
    for name, value in listed.items():
        need(have.get(name) == value, "chain", f"{where}: {name} before it is missing, or another")
    enough = "final.txt" in listed and agreeing(
        old, {name: before.files[name] for name in listed}) >= old.roster.quorum
    need(enough or set(have) == set(listed), "chain", f"{where}: a final before it came after it")

def main(args):
    papers, chain = [], False
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
    standings = set()
    for paths in [bundles_of(folder) for folder in args] if chain else [args]:
        bundles = [Bundle(path) for path in paths]
        told = [b.fault for b in bundles]
        for b in bundles:
            plain = b.path.isascii() and b.path.isprintable()
            path = f"{b.path if plain else ascii(b.path)}: "
            print(f"{path if chain or len(paths) > 1 else ''}{b.fault or 'good'}")
        if chain and "bad" not in [f.standing for f in told if f]:
            told.append(fault_of(check_chain, bundles))
        known = {b.final() for b in bundles} | {b.walk.opened["chain"] for b in bundles if b.walk}
        told += [Fault("expect", f"no final digest and no chain is {paper}") for paper in papers
                 if paper not in known]
        for fault in filter(None, told[len(bundles):]):
            print(fault)
        standings |= {f.standing for f in told if f and not (chain and f.standing == "void")}
    return 4 if "bad" in standings else 5 if standings else 0

def bundles_of(folder):
    """The bundles in a directory. What is no bundle is foreign, and so is a link."""
    paths = sorted(e.path for e in os.scandir(folder) if e.is_dir(follow_symlinks=False))
    return [path for path in paths if os.path.lexists(os.path.join(path, "events.jsonl"))]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
