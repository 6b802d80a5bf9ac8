//! What can be wrong, one row for each kind of mistake.

/// A config with one mistake, and what is to be said about it.
pub(crate) struct Mistake {
    /// In words, for whoever reads a failure.
    pub(crate) is: &'static str,
    /// The file's name: its end says the format.
    pub(crate) name: &'static str,
    pub(crate) config: &'static str,
    /// `line:column level code`, in the order of the file; all but notes.
    pub(crate) found: &'static [&'static str],
    /// Parts of messages and help.
    pub(crate) says: &'static [&'static str],
}

const fn ini(
    is: &'static str,
    config: &'static str,
    found: &'static [&'static str],
    says: &'static [&'static str],
) -> Mistake {
    Mistake { is, name: "f.ini", config, found, says }
}

const fn toml(
    is: &'static str,
    config: &'static str,
    found: &'static [&'static str],
    says: &'static [&'static str],
) -> Mistake {
    Mistake { is, name: "f.toml", config, found, says }
}

/// The network of most rows: three lines.
macro_rules! net {
    ($($text:expr),*) => { concat!("[general]\nnet = 10.0.0.0/24\ngw = 10.0.0.1\n", $($text),*) };
}

pub(crate) const NET: &str = net!();

/// The text of the file.
#[rustfmt::skip]
pub(crate) const TEXT: &[Mistake] = &[
    ini("text without =", net!("[a]\nservices = ssh\nsome text\n"), &["6:1 error config.text-without-equals"], &["`some text`", "write `key = value`"]),
    ini("a value over two lines", net!("[a]\nservices = ssh,\n  http\n"), &["6:3 error config.text-without-equals"], &["`http`", "a value ends with its line"]),
    ini("a colon for =", net!("[a]\nservices: ssh\n"), &["4:2 error service.none", "5:1 error config.text-without-equals"], &["only `=` separates", "`services = ssh`"]),
    ini("a colon in a key", net!("[a]\nservices = ssh\nx: ip = 10.0.0.9\n"), &["6:1 error config.colon-in-key"], &["`x: ip` is no key"]),
    ini("no key", net!("[a]\nservices = ssh\n= 10.0.0.9\n"), &["6:1 error config.empty-key"], &["no key stands before the `=`"]),
    ini("no value", net!("[a]\nservices = ssh\nip =\n"), &["6:1 error config.empty-value"], &["`ip` has no value", "or remove the key"]),
    ini("a key before any section", "net = 10.0.0.0/24\n[a]\nservices = ssh\n", &["1:1 error config.key-outside-section"], &["`net` stands in no section"]),
    ini("an open bracket", net!("[a\nservices = ssh\n"), &["4:1 error config.unclosed-section"], &["write `[a]`"]),
    ini("text behind a header", net!("[a] web\nservices = ssh\n"), &["4:5 error config.text-after-section"], &["`web` stands behind the section header"]),
    ini("a header without a name", net!("[]\nservices = ssh\n[a]\nservices = ssh\n"), &["4:1 error config.empty-section-name"], &[]),
    ini("an open quote", net!("[a]\nservices = \"ssh\n"), &["4:2 error service.none", "5:12 error config.unclosed-quote"], &["close it on the same line"]),
    ini("text behind a quote", net!("[a]\nservices = ssh\n[a.ssh]\nmotd = \"Hi\" there\n"), &["7:13 error config.text-after-quote"], &["`there`", "quote the whole value"]),
    ini("a control character", net!("[a]\nservices = s\u{7}sh\n"), &["4:2 error service.none", "5:13 error config.control-character"], &["U+0007"]),
    ini("a value cut off by a comment", net!("[a]\nservices = ssh\n[a.ssh]\nmotd = no entry ; go away\n"), &["7:17 warning config.comment-in-value"], &["`; go away`", "quote the whole value"]),
    ini("a section twice", net!("[a]\nservices = ssh\n[b]\nservices = ssh\n[a]\nservices = http\n"), &["8:1 error config.duplicate-section"], &["`[a]`", "first here"]),
    ini("[general] twice", net!("[general]\nseed = 1\n[a]\nservices = ssh\n"), &["4:1 error config.duplicate-section"], &["`[general]`"]),
    ini("a persona section twice", net!("[a]\nservices = ssh\n[a.ssh]\nmotd = x\n[a.ssh]\nmotd = y\n"), &["8:1 error config.duplicate-section"], &["`[a.ssh]`"]),
    ini("a key twice", net!("[a]\nservices = ssh\nservices = http\n"), &["6:1 error config.duplicate-key"], &["`services` stands here a second time", "first here"]),
    ini("a section of no kind", "[genral]\nnet = 10.0.0.0/24\n[a]\nservices = ssh\n", &["1:1 error config.unknown-section"], &["did you mean `[general]`?"]),
    ini("a custom section with another dash", net!("[custom_app]\nbinary = x\nports = 1\n[a]\nservices = ssh\n"), &["4:1 error config.unknown-section"], &["`[custom-app]`"]),
    ini("an unknown key of [general]", net!("subnet = 10.0.0.0/24\n[a]\nservices = ssh\n"), &["4:1 error config.unknown-key"], &["did you mean `net`?"]),
    ini("an unknown key of a decky", net!("[a]\nserivces = ssh\nservices = ssh\n"), &["5:1 error config.unknown-key"], &["unknown key `serivces` in `[a]`", "did you mean `services`?"]),
    ini("a key in the wrong section", net!("[a]\nservices = ssh\nlog_target = x:1\n"), &["6:1 error config.unknown-key"], &["`log_target` belongs in `[general]`"]),
    ini("a persona key among the decky's", net!("[a]\nservices = ssh\nssh.users = a:b\n"), &["6:1 error config.unknown-key"], &["`[a.ssh]` with `users`"]),
    toml("no TOML", "[general]\nnet = 10.0.0.0/24\n[a]\nservices = \"ssh\"\n", &["2:11 error config.toml-syntax"], &["not TOML", "text stands in quotes"]),
    toml("a value of another type", "[general]\nnet = \"10.0.0.0/24\"\ngw = 1\n[a]\nservices = \"ssh\"\n", &["3:6 error config.wrong-type"], &["`1`, the value of `gw`, is a whole number", "`gw` takes text in quotes"]),
    toml("a comma in an item", "[general]\nnet = \"10.0.0.0/24\"\n[a]\nservices = [\"ssh, http\"]\n", &["3:2 error service.none", "4:12 error config.comma-in-item"], &["`ssh, http`", "give each an item of its own"]),
    toml("a list of sections", "[general]\nnet = \"10.0.0.0/24\"\n[[a]]\nservices = \"ssh\"\n[b]\nservices = \"ssh\"\n", &["3:3 error config.wrong-type"], &["write `[a]`"]),
    toml("a key twice in TOML", "[a]\nservices = \"ssh\"\nservices = \"http\"\n", &["3:1 error config.duplicate-key"], &["first here"]),
    toml("a section twice in TOML", "[a]\nservices = \"ssh\"\n[b]\nservices = \"ssh\"\n[a]\nservices = \"ssh\"\n", &["5:2 error config.duplicate-section"], &["first here"]),
];

/// `[general]`, and a fleet as a whole.
#[rustfmt::skip]
pub(crate) const GENERAL: &[Mistake] = &[
    ini("no decky", net!(), &["error fleet.empty"], &["there are no deckies", "services = ssh, http"]),
    ini("net is no network", "[general]\nnet = 10.0.0/24\n[a]\nservices = ssh\n", &["2:7 error network.net"], &["`10.0.0/24`", "such as 192.168.1.0/24"]),
    ini("net is IPv6", "[general]\nnet = fd00::/64\n[a]\nservices = ssh\n", &["2:7 error network.net"], &["only IPv4 is supported"]),
    ini("net where no hosts live", "[general]\nnet = 127.0.0.0/8\n[a]\nservices = ssh\n", &["2:7 error network.net"], &["127.0.0.0/8 is no network that hosts live in"]),
    ini("net without room", "[general]\nnet = 10.0.0.0/31\n[a]\nservices = ssh\n", &["2:7 error network.too-small"], &["use /30 or wider"]),
    ini("net with the bits of a host", "[general]\nnet = 10.0.0.7/24\ngw = 10.0.0.1\n[a]\nservices = ssh\n", &["2:7 warning network.host-bits"], &["10.0.0.0/24 is taken"]),
    ini("gw is no address", "[general]\nnet = 10.0.0.0/24\ngw = router\n[a]\nservices = ssh\n", &["3:6 error network.gw"], &["`router` is not an IPv4 address"]),
    ini("gw outside", "[general]\nnet = 10.0.0.0/24\ngw = 10.0.1.1\n[a]\nservices = ssh\n", &["3:6 error network.gw-outside"], &["outside 10.0.0.0/24", "10.0.0.1 to 10.0.0.254"]),
    ini("interface with a slash", net!("interface = eth/0\n[a]\nservices = ssh\n"), &["4:13 error general.interface"], &["`eth/0`", "at most 15 characters"]),
    ini("log target without port", net!("log_target = siem\n[a]\nservices = ssh\n"), &["4:14 error general.log-target"], &["`siem`", "10.0.0.5:514"]),
    ini("log target of another kind", net!("log_target = http://siem:80\n[a]\nservices = ssh\n"), &["4:14 error general.log-target"], &["http://siem:80"]),
    ini("personas that are nowhere", net!("personas = nowhere\n[a]\nservices = ssh\n"), &["4:12 error persona.directory"], &["`nowhere` cannot be read: there is no such directory", "SLUG.toml"]),
    ini("log file that is a folder", net!("log_file = /var/log/\n[a]\nservices = ssh\n"), &["4:12 error general.log-file"], &["`/var/log/` is not the name of a log file"]),
    ini("the second log target of a list is none", net!("log_target = siem:514, syslog\n[a]\nservices = ssh\n"), &["4:24 error general.log-target"], &["`syslog` is not a log target"]),
    ini("log target with an unknown option", net!("log_target = tcp://siem:601?frame=lf\n[a]\nservices = ssh\n"), &["4:14 error general.log-target"], &["no option `frame`", "size, framing"]),
    ini("log target with the option of another transport", net!("log_target = udp://siem:514?ca=/x\n[a]\nservices = ssh\n"), &["4:14 error general.log-target"], &["a udp log target has no option `ca`"]),
    ini("log target with a wrong size", net!("log_target = udp://siem:514?size=1M\n[a]\nservices = ssh\n"), &["4:14 error general.log-target"], &["`1M` cannot be the size", "480 to 65507"]),
    ini("TLS that trusts nobody", net!("log_target = tls://siem:6514\n[a]\nservices = ssh\n"), &["4:14 error general.log-target"], &["siem:6514 does not say whose certificate is trusted", "?ca=FILE"]),
    ini("a client certificate without key", net!("log_target = tls://siem?ca=/ca&cert=/c\n[a]\nservices = ssh\n"), &["4:14 error general.log-target"], &["has a `cert` without a `key`"]),
    ini("a fingerprint that is none", net!("log_target = tls://siem?fingerprint=sha256:12\n[a]\nservices = ssh\n"), &["4:14 error general.log-target"], &["`sha256:12` cannot be the fingerprint", "64 hexadecimal digits"]),
    ini("a log target twice", net!("log_target = siem:514, udp://siem:514\n[a]\nservices = ssh\n"), &["4:24 error general.log-target"], &["siem:514 is named twice", "here first"]),
    ini("log file of an unknown form", net!("log_file = xml:/var/log/x\n[a]\nservices = ssh\n"), &["4:12 error general.log-file"], &["`xml` is no form of a log file", "json"]),
    ini("a log file twice", net!("log_file = /var/log/x, json:/var/log/./x\n[a]\nservices = ssh\n"), &["4:24 error general.log-file"], &["/var/log/x is named twice"]),
    ini("a size to rotate at that is none", net!("log_file = /x\nlog_rotate_size = 10 lines\n[a]\nservices = ssh\n"), &["5:19 error general.log-rotate"], &["`10 lines` is no size", "100M"]),
    ini("an age to rotate at that is none", net!("log_file = /x\nlog_rotate_age = daily\n[a]\nservices = ssh\n"), &["5:18 error general.log-rotate"], &["`daily` is no age", "1d"]),
    ini("a number to keep that is none", net!("log_file = /x\nlog_rotate_size = 10M\nlog_rotate_keep = 0\n[a]\nservices = ssh\n"), &["6:19 error general.log-rotate"], &["`0` is no number to keep"]),
    ini("keeping without rotating", net!("log_file = /x\nlog_rotate_keep = 3\n[a]\nservices = ssh\n"), &["5:19 warning general.log-rotate"], &["log_rotate_size"]),
    ini("rotating no file", net!("log_rotate_size = 10M\n[a]\nservices = ssh\n"), &["4:19 warning general.log-rotate"], &["no log file to rotate"]),
    ini("unknown engine", net!("engine = dokcer\n[a]\nservices = ssh\n"), &["4:10 error general.engine"], &["did you mean `docker`?"]),
    ini("seed is no number", net!("seed = tuesday\n[a]\nservices = ssh\n"), &["4:8 error general.seed"], &["`tuesday`", "a whole number"]),
    ini("domain with a space", net!("domain = my domain\n[a]\nservices = ssh\n"), &["4:10 error general.domain"], &["`my domain`"]),
    ini("ipvlan neither yes nor no", net!("ipvlan = maybe\n[a]\nservices = ssh\n"), &["4:10 error general.ipvlan"], &["neither yes nor no"]),
];

/// A decky or group.
#[rustfmt::skip]
pub(crate) const DECKIES: &[Mistake] = &[
    ini("a name that is none", net!("[web server]\nservices = ssh\n"), &["4:1 error config.unknown-section"], &["`web server` holds ` `"]),
    ini("two names that differ in case alone", net!("[web]\nservices = ssh\n[WEB]\nservices = ssh\n"), &["6:2 error name.duplicate"], &["`WEB`", "the first one"]),
    ini("a decky called as a member of a group", net!("[web]\namount = 3\nservices = ssh\n[web-02]\nservices = ssh\n"), &["7:2 error name.clash"], &["`web-02` is the name of a member of `web` too"]),
    ini("unknown service", net!("[a]\nservices = ssh, htp\n"), &["5:17 error service.unknown"], &["`htp` is no service", "did you mean `http`?"]),
    ini("no services", net!("[a]\nip = 10.0.0.9\n"), &["4:2 error service.none"], &["`a` has no services", "archetype = linux-server"]),
    ini("a service twice", net!("[a]\nservices = ssh, http, ssh\n"), &["5:23 warning service.duplicate"], &["`ssh` stands here twice"]),
    ini("two services on one port", net!("[a]\nservices = http, conpot\nnmap_os = embedded\n[b]\nservices = http, k8s, myproxy\n[custom-myproxy]\nbinary = x\nports = 8080\n"), &["8:23 error service.port-clash"], &["`k8s` and `myproxy` of `b` both want port 8080", "give them to two deckies"]),
    ini("a service that the system never has", net!("[a]\nservices = rdp\nnmap_os = cisco\n"), &["5:12 warning service.incoherent"], &["no cisco machine offers rdp", "rdp is found on"]),
    ini("services named and drawn", net!("[a]\nservices = ssh\nrandomize_services = yes\n"), &["6:22 warning service.randomize"], &["none is drawn"]),
    ini("randomize_services neither yes nor no", net!("[a]\nservices = ssh\nrandomize_services = perhaps\n"), &["6:22 error service.randomize"], &["neither yes nor no"]),
    ini("unknown archetype", net!("[a]\narchetype = lunix-server\n"), &["5:13 error archetype.unknown"], &["did you mean `linux-server`?"]),
    ini("unknown OS family", net!("[a]\nservices = ssh\nnmap_os = windwos\n"), &["6:11 error os.unknown"], &["did you mean `windows`?"]),
    ini("a persona that is not that distro's", net!("[a]\nservices = ssh\nnmap_os = linux-5\ndistro = centos7\n"), &["6:11 warning os.distro"], &["`linux-5`", "CentOS 7"]),
    ini("unknown distro", net!("[a]\nservices = ssh\ndistro = debain\n"), &["6:10 error distro.unknown"], &["did you mean `debian`?"]),
    ini("distros named and drawn", net!("[a]\nservices = ssh\ndistro = debian\nrandomize_distros = yes\n"), &["7:21 warning distro.randomize"], &["none is drawn"]),
    ini("amount 0", net!("[a]\nservices = ssh\namount = 0\n"), &["6:10 error amount.zero"], &["there would be no decky"]),
    ini("amount in words", net!("[a]\nservices = ssh\namount = many\n"), &["6:10 error amount.invalid"], &["`many` is not a number"]),
    ini("amount beyond the network", net!("[a]\nservices = ssh\namount = 254\n"), &["6:10 error amount.too-many"], &["the 253 that there is room for"]),
    ini("more sections than there is room for", "[general]\nnet = 10.0.0.0/29\ngw = 10.0.0.1\n[a]\nservices = ssh\namount = 5\n[b]\nservices = ssh\n[c]\nservices = ssh\namount = 5\n[d]\nservices = ssh\namount = 5\n", &["7:2 error amount.too-many"], &["with `b` there are 6 deckies, and 10.0.0.0/29 has room for 5"]),
    ini("amount with ip", net!("[a]\nservices = ssh\namount = 2\nip = 10.0.0.9\n"), &["7:6 error amount.with-ip"], &["2 members", "leave out `ip`", "the amount"]),
    ini("amount with mac", net!("[a]\nservices = ssh\namount = 2\nmac = 00:0c:29:01:02:03\n"), &["7:7 error amount.with-mac"], &["leave out `mac`"]),
    ini("amount with hostname", net!("[a]\nservices = ssh\namount = 2\nhostname = x\n"), &["7:12 error amount.with-hostname"], &["leave out `hostname`"]),
    ini("ip is no address", net!("[a]\nservices = ssh\nip = 10.0.0.300\n"), &["6:6 error address.invalid"], &["`10.0.0.300` is not an IPv4 address"]),
    ini("ip outside net", net!("[a]\nservices = ssh\nip = 10.0.1.9\n"), &["6:6 error address.outside"], &["outside 10.0.0.0/24", "10.0.0.1 to 10.0.0.254"]),
    ini("ip of the gateway", net!("[a]\nservices = ssh\nip = 10.0.0.1\n"), &["6:6 error address.gateway"], &["that of the gateway"]),
    ini("ip of the network", net!("[a]\nservices = ssh\nip = 10.0.0.0\n"), &["6:6 error address.network"], &["the network address of 10.0.0.0/24"]),
    ini("ip of the broadcast", net!("[a]\nservices = ssh\nip = 10.0.0.255\n"), &["6:6 error address.broadcast"], &["the broadcast address"]),
    ini("an ip twice", net!("[a]\nservices = ssh\nip = 10.0.0.9\n[b]\nservices = ssh\nip = 10.0.0.9\n"), &["9:6 error address.duplicate"], &["10.0.0.9 is taken twice", "the first one"]),
    ini("hostname with a space", net!("[a]\nservices = ssh\nhostname = my host\n"), &["6:12 error hostname.invalid"], &["letters, digits and `-`"]),
    ini("a hostname twice", net!("[a]\nservices = ssh\nhostname = srv\n[b]\nservices = ssh\nhostname = SRV\n"), &["9:12 error hostname.duplicate"], &["`SRV`", "the first one"]),
    ini("a hostname that tells", net!("[a]\nservices = ssh\nhostname = honeypot1\n"), &["6:12 warning hostname.tell"], &["`honeypot`", "every attacker can read"]),
    ini("a hostname too long for Windows", net!("[a]\narchetype = windows-server\nhostname = much-too-long-for-it\n"), &["6:12 warning hostname.long"], &["at most 15 characters"]),
    ini("mac is none", net!("[a]\nservices = ssh\nmac = 00:0c:29\n"), &["6:7 error mac.invalid"], &["00:0c:29"]),
    ini("mac of many", net!("[a]\nservices = ssh\nmac = 01:0c:29:01:02:03\n"), &["6:7 error mac.multicast"], &["multicast", "has to be even"]),
    ini("mac of nobody", net!("[a]\nservices = ssh\nmac = 02:0c:29:01:02:03\n"), &["6:7 warning mac.local"], &["no vendor made such a card"]),
    ini("a mac twice", net!("[a]\nservices = ssh\nmac = 00:0c:29:01:02:03\n[b]\nservices = ssh\nmac = 00:0C:29:01:02:03\n"), &["9:7 error mac.duplicate"], &["00:0c:29:01:02:03", "the first one"]),
    ini("a mac that ipvlan hides", net!("ipvlan = yes\n[a]\nservices = ssh\nmac = 00:0c:29:01:02:03\n"), &["7:7 warning mac.ipvlan"], &["all have the NIC's"]),
    ini("a printer with a virtual card", net!("[a]\narchetype = printer\nmac = 00:0c:29:01:02:03\n"), &["6:7 warning mac.vendor"], &["that of a virtual machine"]),
];

/// `[name.service]`.
#[rustfmt::skip]
pub(crate) const PERSONAS: &[Mistake] = &[
    ini("a persona of nobody", net!("[files]\nservices = ssh\n[flies.ssh]\nmotd = x\n"), &["6:2 error persona.unknown-owner"], &["`flies`", "did you mean `files`?"]),
    ini("a persona of an unrelated name", net!("[web]\nservices = ssh\namount = 2\n[web-extra.ssh]\nmotd = x\n"), &["7:2 error persona.unknown-owner"], &["there is no decky or group `web-extra`"]),
    ini("a persona of an unknown service", net!("[a]\nservices = ssh\n[a.shh]\nmotd = x\n"), &["6:4 error service.unknown"], &["did you mean `ssh`?"]),
    ini("a persona of a service that the decky lacks", net!("[a]\nservices = ssh\n[a.http]\nresponse_code = 200\n"), &["6:4 error persona.missing-service"], &["`a` has no service `http`", "it has ssh"]),
    ini("an unknown persona key", net!("[a]\nservices = ssh\n[a.ssh]\nssh_verison = x\n"), &["7:1 error persona.unknown-key"], &["ssh has no persona key `ssh_verison`", "did you mean `ssh_version`?"]),
    ini("a persona key under two names", net!("[a]\nservices = ssh\n[a.ssh]\nssh_version = x\nssh-version = y\n"), &["8:1 error persona.duplicate-key"], &["are one key of ssh", "the first one"]),
    ini("a persona value out of bounds", net!("[a]\nservices = http\n[a.http]\nresponse_code = 999\n"), &["7:17 error persona.value"], &["`999` of http.response_code is not a whole number from 100 to 599"]),
    ini("users without a password", net!("[a]\nservices = ssh\n[a.ssh]\nusers = root:toor, admin\n"), &["7:9 error persona.value"], &["`admin`, which is not user:password"]),
    ini("a persona against the system", net!("[a]\nservices = http\n[a.http]\nserver_header = Microsoft-IIS/10.0\n"), &["7:17 warning persona.family"], &["names microsoft", "claims to be linux"]),
    ini("a persona of a service of one's own", net!("[a]\nservices = app\n[custom-app]\nbinary = x\nports = 9\n[a.app]\ncolour = x\n"), &["9:4 error persona.custom"], &["has no persona keys"]),
];

/// `[custom-SLUG]`.
#[rustfmt::skip]
pub(crate) const CUSTOMS: &[Mistake] = &[
    ini("a service replaces a built-in one", net!("[custom-ssh]\nbinary = x\nports = 22\n[a]\nservices = ssh\n"), &["4:2 error custom.builtin"], &["would replace the built-in service `ssh`"]),
    ini("a service with a name that is none", net!("[custom-my app]\nbinary = x\nports = 9\n[a]\nservices = ssh\n"), &["4:1 error config.unknown-section"], &["the slug `my app` holds ` `"]),
    ini("a service without an image", net!("[custom-app]\nports = 9\n[a]\nservices = app\n"), &["4:2 error custom.no-binary"], &["names no Docker image"]),
    ini("a service with an image that is none", net!("[custom-app]\nbinary = my image\nports = 9\n[a]\nservices = app\n"), &["5:10 error custom.binary"], &["`my image`"]),
    ini("a service with ports that are none", net!("[custom-app]\nbinary = x\nports = 9, 70000, 9/icmp\n[a]\nservices = app\n"), &["6:12 error custom.ports", "6:19 error custom.ports"], &["`70000` is not a port", "`9/icmp` is not a port"]),
    ini("a service without ports", net!("[custom-app]\nbinary = x\n[a]\nservices = app\n"), &["4:2 warning custom.no-ports"], &["nobody can reach it"]),
    ini("a service with an open quote", net!("[custom-app]\nbinary = x\nexec = sh -c 'x\nports = 9\n[a]\nservices = app\n"), &["6:8 error custom.exec"], &["single quote that is not closed"]),
    ini("a service that nobody has", net!("[custom-app]\nbinary = x\nports = 9\n[a]\nservices = ssh\n"), &["4:2 warning custom.unused"], &["no decky has the service `app`"]),
];

/// Flags of `decnet deploy --dry-run` with one mistake. `fleet.ini` is a config that is right.
pub(crate) struct Flags {
    pub(crate) is: &'static str,
    /// By space.
    pub(crate) flags: &'static str,
    /// `--flag level code`; empty where there is a message and no diagnostic.
    pub(crate) found: &'static [&'static str],
    pub(crate) says: &'static [&'static str],
}

const fn flags(
    is: &'static str,
    flags: &'static str,
    found: &'static [&'static str],
    says: &'static [&'static str],
) -> Flags {
    Flags { is, flags, found, says }
}

#[rustfmt::skip]
pub(crate) const FLAGS: &[Flags] = &[
    flags("no number of deckies", "--services ssh --subnet 10.0.0.0/24", &[], &["how many deckies?", "--deckies NUMBER", "--config FILE"]),
    flags("no services", "-n 3 --subnet 10.0.0.0/24", &[], &["--services, --archetype or --randomize-services"]),
    flags("no services by an empty list", "-n 3 --services , --subnet 10.0.0.0/24", &["--services error service.none"], &["has no services"]),
    flags("no number", "-n three --services ssh --subnet 10.0.0.0/24", &["--deckies error amount.invalid"], &["`three` is not a number"]),
    flags("none at all", "-n 0 --services ssh --subnet 10.0.0.0/24", &["--deckies error amount.zero"], &["there would be no decky"]),
    flags("more than there is room for", "-n 300 --services ssh --subnet 10.0.0.0/24", &["--deckies error amount.too-many"], &["253"]),
    flags("no room behind the first address", "-n 6 --services ssh --subnet 10.0.0.0/24 --ip-start 10.0.0.250", &["--ip-start error network.exhausted"], &["1 of 6 deckies find no free address from 10.0.0.250 on"]),
    flags("an unknown service", "-n 3 --services ssh,htp --subnet 10.0.0.0/24", &["--services error service.unknown"], &["did you mean `http`?"]),
    flags("an unknown archetype", "-n 3 --archetype printr --subnet 10.0.0.0/24", &["--archetype error archetype.unknown"], &["did you mean `printer`?"]),
    flags("an unknown distro", "-n 3 --services ssh --distro ubuntu --subnet 10.0.0.0/24", &["--distro error distro.unknown"], &["`ubuntu` is no distro", "ubuntu22"]),
    flags("a subnet that is none", "-n 3 --services ssh --subnet 10.0.0.0/33", &["--subnet error network.net"], &["`10.0.0.0/33`", "such as 192.168.1.0/24"]),
    flags("a gateway outside", "-n 3 --services ssh --subnet 10.0.0.0/24 --gateway 10.9.0.1", &["--gateway error network.gw-outside"], &["outside 10.0.0.0/24"]),
    flags("a first address outside", "-n 3 --services ssh --subnet 10.0.0.0/24 --ip-start 10.9.0.1", &["--ip-start error network.ip-start-outside"], &["outside 10.0.0.0/24"]),
    flags("a first address that is none", "-n 3 --services ssh --subnet 10.0.0.0/24 --ip-start first", &["--ip-start error network.ip-start"], &["`first` is not an IPv4 address"]),
    flags("a log target without a port", "-n 3 --services ssh --subnet 10.0.0.0/24 --log-target siem", &["--log-target error general.log-target"], &["`siem`", "10.0.0.5:514"]),
    flags("a log file that is a folder", "-n 3 --services ssh --subnet 10.0.0.0/24 --log-file /tmp/", &["--log-file error general.log-file"], &["`/tmp/`"]),
    flags("an unknown engine", "-n 3 --services ssh --subnet 10.0.0.0/24 --engine podman", &["--engine error general.engine"], &["there are auto, docker, native"]),
    flags("a seed that is no number", "-n 3 --services ssh --subnet 10.0.0.0/24 --seed -1", &["--seed error general.seed"], &["`-1`", "whole number from 0"]),
    flags("a seed in words", "-n 3 --services ssh --subnet 10.0.0.0/24 --seed x", &["--seed error general.seed"], &["`x`"]),
    flags("an interface that is none", "-n 3 --services ssh --subnet 10.0.0.0/24 --interface a/b", &["--interface error general.interface"], &["`a/b`"]),
    flags("an unknown mode", "-m cluster -n 3 --services ssh --subnet 10.0.0.0/24", &[], &["'cluster'", "unihost, swarm"]),
    flags("an unknown flag", "-n 3 --services ssh --subnets 10.0.0.0/24", &[], &["'--subnets'", "'--subnet'"]),
    flags("a flag without its value", "-n 3 --services", &[], &["--services <LIST>"]),
    flags("a warning beside an error", "-n 1 --services http,k8s,docker_api,conpot,mqtt --distro debian --subnet 10.0.0.0/24 --seed x", &["--seed error general.seed", "--services warning service.incoherent"], &["no linux machine offers conpot"]),
    flags("one flag that the config wins over", "--config fleet.ini -n 3", &["--deckies error flag.config-wins"], &["`fleet.ini` says which deckies there are", "take the flag away"]),
    flags("every flag that the config wins over", "--config fleet.ini -n 3 --services ssh --randomize-services --distro debian --randomize-distros --archetype printer", &["--archetype error flag.config-wins", "--deckies error flag.config-wins", "--distro error flag.config-wins", "--randomize-distros error flag.config-wins", "--randomize-services error flag.config-wins", "--services error flag.config-wins"], &["its first decky"]),
    flags("a config that is not there", "--config nowhere.ini", &[], &["there is no config file `nowhere.ini`"]),
    flags("several at once", "-n 0 --services shh --archetype x --distro y --subnet z --seed q", &["--archetype error archetype.unknown", "--deckies error amount.zero", "--distro error distro.unknown", "--seed error general.seed", "--services error service.unknown", "--subnet error network.net"], &[]),
];

/// A file with a mistake in almost every line.
pub(crate) const MANY: &str = net!(
    "\
colour = blue

[web]
services = ssh, htp
amount = 2
ip = 10.0.0.1

[web.ssh]
ssh_verison = OpenSSH_9.6

[web]
services = ftp
this line means nothing

[flies.http]
server_header = nginx
"
);

pub(crate) const MANY_FOUND: [&str; 7] = [
    "4:1 error config.unknown-key",
    "7:17 error service.unknown",
    "9:6 error amount.with-ip",
    "12:1 error persona.unknown-key",
    "14:1 error config.duplicate-section",
    "16:1 error config.text-without-equals",
    "18:2 error persona.unknown-owner",
];
