"""A directory for one test: OpenLDAP's slapd with people, groups in groups, and a certificate that one must trust.

Prints its two URLs, the file of its authority, and its folder, in one line. The lines `stop` and `start` on its standard
input end it and bring it back; each is answered with a line. Ends when its standard input does.
"""

import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SLAPD = "/usr/sbin/slapd"
SCHEMA = pathlib.Path("/etc/ldap/schema")
BASE = "dc=example,dc=org"
CONFIGURATION = """
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/nis.schema
include {schema}/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
# The trap: a bind with a name and no password succeeds, as nobody.
allow bind_anon_cred
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
# As Active Directory does: whoever wants more has to ask page by page.
sizelimit size.soft=500 size.hard=500 size.pr=500 size.prtotal=unlimited
database mdb
suffix "{base}"
directory {folder}/data
maxsize 67108864
index objectClass,uid,member,memberUid,cn,entryUUID eq
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=groups,{base}" by users read by * none
access to * by dn.exact="cn=search,{base}" read by self read by anonymous auth by * none
"""


def entry(name, classes, uuid=None, **attributes):
    lines = ["dn: %s" % name] + ["objectClass: %s" % one for one in classes.split()]
    if uuid is not None:
        lines.append("entryUUID: 00000000-0000-4000-8000-%012d" % uuid)
    for key, values in attributes.items():
        lines += ["%s: %s" % (key, value) for value in (values if isinstance(values, list) else [values])]
    return "\n".join(lines) + "\n"


def person(uid, uuid, **attributes):
    name = {"cn": uid, "sn": uid, **attributes}
    # a name may hold what means something in the name of an entry
    escaped = uid.replace(",", "\\2C").replace("+", "\\2B")
    return entry("uid=%s,ou=people,%s" % (escaped, BASE), "inetOrgPerson", uuid, uid=uid, **name)


def group(name, members, below="ou=groups"):
    return entry("cn=%s,%s,%s" % (name, below, BASE), "groupOfNames", cn=name, member=members)


def people_and_groups():
    ann = "uid=ann,ou=people," + BASE
    groups = ["cn=%s,ou=groups,%s" % (name, BASE) for name in ["builders", "engineers", "staff"]]
    yield entry(BASE, "dcObject organization", dc="example", o="Example")
    for unit in ["people", "groups", "many"]:
        yield entry("ou=%s,%s" % (unit, BASE), "organizationalUnit", ou=unit)
    yield entry("cn=search," + BASE, "organizationalRole simpleSecurityObject", cn="search", userPassword="search it")
    yield person("ann", 1, userPassword="correct horse", mail="ann@example.org", displayName="Ann Example")
    yield person("bob", 2, userPassword="battery staple", employeeType="left")
    yield person("c,d+e", 3, userPassword="Tr0ub4dor", displayName="Odd Name")
    # of the same name as somebody else, for a filter that is too wide
    yield person("ann2", 4, userPassword="correct horse", displayName="Ann Example")
    # the last one closes a circle
    yield group("builders", [ann, groups[2]])
    yield group("engineers", groups[0])
    yield group("staff", groups[1])
    yield group("others", "uid=bob,ou=people," + BASE)
    yield entry("cn=unix,ou=groups," + BASE, "posixGroup", cn="unix", gidNumber="1000", memberUid="ann")
    for number in range(1200):
        yield group("g%04d" % number, ann, "ou=many")


def run(*command, **more):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def make_certificates(folder):
    key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    run("openssl", "req", "-x509", *key, "-subj", "/CN=Test authority", "-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    run("openssl", "req", *key, "-subj", "/CN=localhost", "-keyout", folder / "server.key", "-out", folder / "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    signed = ["-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "2"]
    run("openssl", "x509", "-req", "-in", folder / "server.csr", *signed, "-extfile", folder / "names", "-out", folder / "server.pem")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(folder, urls):
    slapd = subprocess.Popen(
        [SLAPD, "-f", folder / "slapd.conf", "-h", " ".join(urls), "-d", "0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    port = int(urls[0].rpartition(":")[2])
    until = time.monotonic() + 30
    while time.monotonic() < until and slapd.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return slapd
        time.sleep(0.02)
    sys.exit("slapd did not start")


def stop(slapd):
    slapd.terminate()
    slapd.wait()


folder = pathlib.Path(tempfile.mkdtemp(prefix="boxvault-slapd-"))
slapd = None
try:
    (folder / "data").mkdir()
    make_certificates(folder)
    (folder / "slapd.conf").write_text(CONFIGURATION.format(schema=SCHEMA, folder=folder, base=BASE))
    ldif = "\n".join(people_and_groups())
    run(SLAPD, "-T", "add", "-q", "-f", folder / "slapd.conf", input=ldif.encode())
    urls = ["ldap://127.0.0.1:%d" % free_port(), "ldaps://127.0.0.1:%d" % free_port()]
    slapd = start(folder, urls)
    print(*urls, folder / "ca.pem", folder, flush=True)
    for line in sys.stdin:
        if line.strip() == "stop":
            stop(slapd)
        elif line.strip() == "start":
            slapd = start(folder, urls)
        print("done", flush=True)
finally:
    if slapd is not None and slapd.poll() is None:
        stop(slapd)
    shutil.rmtree(folder, ignore_errors=True)
