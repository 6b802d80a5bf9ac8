//! What the server tells of itself.

use decnet_core::identity::{Identity, OsFamily};
use decnet_logging::event::{Body, timestamp};

use super::{Call, Client, State, login};
use crate::mongodb::bait::host_name;
use crate::mongodb::codec::compress::Compressor;
use crate::mongodb::codec::{Document, Value};
use crate::mongodb::fault::Fault;
use crate::mongodb::persona::Persona;

pub(super) fn execute(
    state: &mut State,
    client: &mut Client,
    call: &Call<'_>,
    name: &str,
) -> Result<Document, Fault> {
    Ok(match name {
        "hello" | "isMaster" | "ismaster" => hello(state, client, call.database, call.body),
        "buildInfo" | "buildinfo" => build_info(&state.persona, state.host.identity()),
        "hostInfo" => host_info(state),
        "serverStatus" => status(state, call.body),
        "getLog" => log(state, call)?,
        "getCmdLineOpts" => Document::new()
            .with("argv", arguments(&state.persona).into_iter().map(Value::from).collect::<Vec<_>>())
            .with("parsed", options(state)),
        "getParameter" => parameters(state, call.body)?,
        "whatsmyuri" => Document::new().with("you", client.address.as_str()),
        "listCommands" => {
            let mut commands = Document::new();
            for (name, open) in state.known() {
                let about = Document::new()
                    .with("help", "")
                    .with("requiresAuth", !open)
                    .with("secondaryOk", open)
                    .with("adminOnly", false)
                    .with("apiVersions", Vec::new());
                commands.push(name, about);
            }
            Document::new().with("commands", commands)
        }
        "top" => top(state),
        "currentOp" => Document::new().with("inprog", vec![Value::Document(current(state, client))]),
        _ => {
            let id = state.process;
            Document::new()
                .with("oidMachine", 4_321_000 + i32::from(id[5]))
                .with("js", Document::new().with("utf8", true))
        }
    })
}

/// `host:port` as members of a replica set call it.
pub(super) fn own_address(state: &State) -> String {
    format!("{}:{}", host_name(state.host.identity()), state.port)
}

/// `serverInfo` of explained queries.
pub(super) fn server_info(state: &State) -> Document {
    Document::new()
        .with("host", host_name(state.host.identity()))
        .with("port", i32::from(state.port))
        .with("version", state.persona.version.as_str())
        .with("gitVersion", state.persona.git.as_str())
}

/// `hello` and what it was called before.
fn hello(state: &mut State, client: &mut Client, database: &str, body: &Document) -> Document {
    let persona = std::sync::Arc::clone(&state.persona);
    if let Some(metadata) = body.document("client")
        && client.metadata.is_none()
    {
        client.metadata = Some(metadata.clone());
        client
            .note(Body::ClientFingerprint { kind: "mongodb_client".to_owned(), value: metadata.json(2000) });
    }
    client.greeted = true;
    let old = body.0.first().is_some_and(|(name, _)| name != "hello");
    let mut out = Document::new();
    if body.truth("helloOk") && persona.since(4, 4) {
        out.push("helloOk", true);
    }
    if persona.since(4, 4) {
        let version = Document::new()
            .with("processId", Value::ObjectId(state.process))
            .with("counter", if persona.replset.is_some() { 6i64 } else { 0i64 });
        out.push("topologyVersion", version);
    }
    if let Some(set) = &persona.replset {
        out.push("hosts", vec![Value::from(own_address(state))]);
        out.push("setName", set.as_str());
        out.push("setVersion", 1);
    }
    out.push(if old { "ismaster" } else { "isWritablePrimary" }, true);
    if persona.replset.is_some() {
        out.push("secondary", false);
        out.push("primary", own_address(state));
        out.push("me", own_address(state));
    }
    out.push("maxBsonObjectSize", 16_777_216);
    out.push("maxMessageSizeBytes", 48_000_000);
    if persona.since(2, 6) {
        out.push("maxWriteBatchSize", if persona.since(3, 6) { 100_000 } else { 1000 });
    }
    out.push("localTime", Value::Date(state.now_ms()));
    if persona.since(3, 6) {
        out.push("logicalSessionTimeoutMinutes", 30);
    }
    if persona.since(4, 2) {
        out.push("connectionId", client.connection);
    }
    if persona.since(2, 6) {
        out.push("minWireVersion", 0);
        out.push("maxWireVersion", persona.wire());
    }
    if persona.since(3, 4) {
        out.push("readOnly", false);
        let asked = body.array("compression").unwrap_or_default();
        let common: Vec<Value> = Compressor::OFFERED
            .iter()
            .filter(|(name, _)| asked.iter().any(|asked| asked.text() == Some(name)))
            .map(|(name, _)| Value::from(*name))
            .collect();
        if !common.is_empty() {
            out.push("compression", common);
        }
    }
    if persona.since(4, 0)
        && let Some(user) = body.text("saslSupportedMechs")
    {
        let known = user.split_once('.').is_some_and(|(database, user)| {
            database == "admin" && persona.users.iter().any(|(known, _)| known == user)
        });
        if known {
            out.push("saslSupportedMechs", vec![Value::from("SCRAM-SHA-1"), Value::from("SCRAM-SHA-256")]);
        }
    }
    if persona.since(4, 4)
        && let Some(speculative) = body.document("speculativeAuthenticate")
    {
        let source = speculative.text("db").unwrap_or(database).to_owned();
        if let Ok(answer) = login::start(state, client, &source, speculative) {
            out.push("speculativeAuthenticate", answer);
        }
    }
    out
}

/// `buildInfo`.
pub(crate) fn build_info(persona: &Persona, identity: &Identity) -> Document {
    let release = persona.release;
    let machine = identity.os.architecture.replace("amd64", "x86_64");
    let numbers = [release.0, release.1, persona.patch, 0];
    let numbers: Vec<Value> =
        numbers.iter().map(|number| Value::Int(i32::try_from(*number).unwrap_or(0))).collect();
    let mut out =
        Document::new().with("version", persona.version.as_str()).with("gitVersion", persona.git.as_str());
    if release >= (3, 0) {
        out.push("modules", Vec::new());
        out.push("allocator", "tcmalloc");
        out.push("javascriptEngine", if release >= (3, 2) { "mozjs" } else { "V8" });
        out.push("sysInfo", "deprecated");
    } else {
        out.push("sysInfo", "Linux build 2.6.32 x86_64 BOOST_LIB_VERSION=1_49");
        out.push("loaderFlags", "-fPIC -pthread -rdynamic");
        out.push(
            "compilerFlags",
            "-Wnon-virtual-dtor -Woverloaded-virtual -fPIC -fno-strict-aliasing -ggdb -pthread -Wall",
        );
        out.push("allocator", "tcmalloc");
    }
    out.push("versionArray", numbers);
    if release >= (3, 0) {
        let openssl = match persona.openssl {
            Some(openssl) => Document::new().with("running", openssl).with("compiled", openssl),
            None => Document::new().with("running", "Windows SChannel"),
        };
        out.push("openssl", openssl);
        let (cc, cxx, standard) = match release {
            (7.., _) => (
                "/opt/mongodbtoolchain/v4/bin/gcc: gcc (GCC) 11.3.0",
                "/opt/mongodbtoolchain/v4/bin/g++: g++ (GCC) 11.3.0",
                "c++20",
            ),
            (5.., _) | (4, 4) => (
                "/opt/mongodbtoolchain/v3/bin/gcc: gcc (GCC) 8.5.0",
                "/opt/mongodbtoolchain/v3/bin/g++: g++ (GCC) 8.5.0",
                "c++17",
            ),
            _ => (
                "/opt/mongodbtoolchain/v2/bin/gcc: gcc (GCC) 5.4.0",
                "/opt/mongodbtoolchain/v2/bin/g++: g++ (GCC) 5.4.0",
                "c++14",
            ),
        };
        let windows = persona.target == "windows";
        let mut environment = Document::new();
        if !persona.distmod.is_empty() {
            environment.push("distmod", persona.distmod);
        }
        environment.push("distarch", machine.as_str());
        environment.push(
            "cc",
            if windows {
                "cl: Microsoft (R) C/C++ Optimizing Compiler Version 19.31.31107 for x64"
            } else {
                cc
            },
        );
        environment.push("ccflags", if windows {
            "/nologo /WX /FImongo/platform/basic.h /fp:strict /EHsc /W3 /wd4068 /wd4244 /wd4267 /O2 /MD"
        } else {
            "-Werror -include mongo/platform/basic.h -ffp-contract=off -fasynchronous-unwind-tables -g2 -Wall \
             -Wsign-compare -Wno-unknown-pragmas -Winvalid-pch -gdwarf-5 -fno-omit-frame-pointer \
             -fno-strict-aliasing -O2 -march=sandybridge -mtune=generic -mprefer-vector-width=128 \
             -Wno-unused-local-typedefs -Wno-unused-function -Wno-deprecated-declarations \
             -Wno-unused-const-variable -Wno-unused-but-set-variable -Wno-missing-braces \
             -fstack-protector-strong -gdwarf64 -Wa,--nocompress-debug-sections -fno-builtin-memcmp \
             -Wimplicit-fallthrough=5"
        });
        environment.push(
            "cxx",
            if windows {
                "cl: Microsoft (R) C/C++ Optimizing Compiler Version 19.31.31107 for x64"
            } else {
                cxx
            },
        );
        environment.push("cxxflags", if windows { "/TP".to_owned() } else {
            format!("-Woverloaded-virtual -Wno-maybe-uninitialized -fsized-deallocation -Wno-deprecated -std={standard}")
        });
        environment.push("linkflags", if windows { "/nologo /DEBUG /INCREMENTAL:NO /LARGEADDRESSAWARE /OPT:REF" } else {
            "-Wl,--fatal-warnings -pthread -Wl,-z,now -fuse-ld=gold -fstack-protector-strong -Wl,--build-id \
             -Wl,--hash-style=gnu -Wl,-z,noexecstack -Wl,--warn-execstack -Wl,-z,relro -Wl,-z,origin \
             -Wl,--enable-new-dtags"
        });
        environment.push("target_arch", machine.as_str());
        environment.push("target_os", persona.target);
        out.push("buildEnvironment", environment);
    }
    out.push("bits", 64);
    out.push("debug", false);
    out.push("maxBsonObjectSize", 16_777_216);
    if release >= (3, 2) {
        let mut engines = vec![Value::from("devnull")];
        if release < (4, 2) {
            engines.extend([Value::from("ephemeralForTest"), Value::from("mmapv1")]);
        }
        engines.push(Value::from("wiredTiger"));
        out.push("storageEngines", engines);
    }
    out
}

fn host_info(state: &State) -> Document {
    let identity = state.host.identity();
    let persona = &state.persona;
    let windows = identity.os.family == OsFamily::Windows;
    let system = Document::new()
        .with("currentTime", Value::Date(state.now_ms()))
        .with("hostname", own_address(state).trim_end_matches(":27017"))
        .with("cpuAddrSize", 64)
        .with("memSizeMB", persona.memory as i64)
        .with("memLimitMB", persona.memory as i64)
        .with("numCores", persona.cores as i32)
        .with("cpuArch", identity.os.architecture.as_str())
        .with("numaEnabled", false);
    let os = Document::new()
        .with(
            "type",
            match identity.os.family {
                OsFamily::Windows => "Windows",
                OsFamily::Bsd => "BSD",
                _ => "Linux",
            },
        )
        .with(
            "name",
            if windows {
                format!("Microsoft {}", identity.os.name)
            } else {
                format!("PRETTY_NAME=\"{}\"", identity.os.name)
            },
        )
        .with(
            "version",
            if windows { identity.os.version.clone() } else { format!("Kernel {}", identity.os.kernel) },
        );
    let mut extra = Document::new();
    if !windows {
        extra.push(
            "versionString",
            format!("Linux version {} {}", identity.os.kernel, identity.os.kernel_build),
        );
        extra.push("kernelVersion", identity.os.kernel.as_str());
        extra.push("numPages", i32::try_from(persona.memory * 256).unwrap_or(i32::MAX));
        extra.push("pageSize", 4096i64);
        extra.push("maxOpenFiles", 64_000);
    } else {
        extra.push("pageSize", 4096i64);
    }
    Document::new().with("system", system).with("os", os).with("extra", extra)
}

fn arguments(persona: &Persona) -> Vec<&'static str> {
    match persona.target {
        "windows" => vec![
            "C:\\Program Files\\MongoDB\\Server\\bin\\mongod.exe",
            "--config",
            persona.config_file,
            "--service",
        ],
        "freebsd" => vec!["/usr/local/bin/mongod", "--config", persona.config_file],
        _ => vec!["/usr/bin/mongod", "--config", persona.config_file],
    }
}

fn options(state: &State) -> Document {
    let persona = &state.persona;
    let mut out = Document::new()
        .with("config", persona.config_file)
        .with("net", Document::new().with("bindIp", "0.0.0.0").with("port", i32::from(state.port)));
    if persona.target == "linux" {
        out.push("processManagement", Document::new().with("timeZoneInfo", "/usr/share/zoneinfo"));
    }
    if let Some(set) = &persona.replset {
        out.push("replication", Document::new().with("replSetName", set.as_str()));
    }
    let mut security = Document::new();
    if persona.auth {
        security.push("authorization", "enabled");
    }
    security.push("javascriptEnabled", false);
    out.push("security", security);
    out.with("storage", Document::new().with("dbPath", persona.data)).with(
        "systemLog",
        Document::new().with("destination", "file").with("logAppend", true).with("path", persona.log),
    )
}

fn parameters(state: &State, body: &Document) -> Result<Document, Fault> {
    let persona = &state.persona;
    let mut all = Document::new();
    if persona.since(3, 4) {
        let version = Document::new().with("version", format!("{}.0", persona.release.0));
        all.push("featureCompatibilityVersion", version);
    }
    let mechanisms = ["SCRAM-SHA-1", "SCRAM-SHA-256"].map(Value::from).to_vec();
    all.push("authenticationMechanisms", mechanisms);
    all.push("cursorTimeoutMillis", 600_000i64);
    all.push("logLevel", 0);
    all.push("maxTransactionLockRequestTimeoutMillis", 5);
    all.push("quiet", false);
    all.push("scramIterationCount", 10_000);
    all.push("scramSHA256IterationCount", 15_000);
    all.push("enableLocalhostAuthBypass", true);
    all.push("journalCommitInterval", 0);
    all.push("notablescan", false);
    all.push("ttlMonitorEnabled", true);
    if matches!(body.get("getParameter"), Some(Value::Text(star)) if star == "*") {
        return Ok(all);
    }
    let wanted = body.0.iter().skip(1).map(|(name, _)| name);
    let found: Vec<(String, Value)> =
        wanted.filter_map(|name| all.get(name).map(|value| (name.clone(), value.clone()))).collect();
    if found.is_empty() {
        return Err(Fault::new(72, "no option found to get"));
    }
    Ok(Document(found))
}

fn log(state: &State, call: &Call<'_>) -> Result<Document, Fault> {
    let Some(wanted) = call.body.text("getLog") else {
        return Err(Fault::mismatch("Argument to getLog must be of type String"));
    };
    let persona = &state.persona;
    let at = |seconds: i64| {
        let text = timestamp::format(state.started + seconds * 1000);
        format!("{}+00:00", text.get(..23).unwrap_or(""))
    };
    let line = |millis: i64, level: &str, component: &str, id: u32, text: &str| {
        if persona.since(4, 4) {
            let component = format!("\"{component}\",");
            format!(
                "{{\"t\":{{\"$date\":\"{}\"}},\"s\":\"{level}\",  \"c\":{component:<12}\"id\":{id},   \"ctx\":\"initandlisten\",\"msg\":\"{text}\"}}\n",
                at(millis)
            )
        } else {
            format!("{} {level} {component}  [initandlisten] {text}", at(millis).replace("+00:00", "+0000"))
        }
    };
    let mut warnings = Vec::new();
    if persona.target == "linux" {
        warnings.push(line(1392, "I", "STORAGE", 22297, "Using the XFS filesystem is strongly recommended with the WiredTiger storage engine. See http://dochub.mongodb.org/core/prodnotes-filesystem"));
    }
    if !persona.auth {
        warnings.push(line(3593, "W", "CONTROL", 22120, "Access control is not enabled for the database. Read and write access to data and configuration is unrestricted"));
    }
    if persona.target == "linux" {
        warnings.push(line(
            3594,
            "W",
            "CONTROL",
            22178,
            "/sys/kernel/mm/transparent_hugepage/enabled is 'always'. We suggest setting it to 'never'",
        ));
    }
    match wanted {
        "*" => Ok(Document::new().with("names", vec![Value::from("global"), Value::from("startupWarnings")])),
        "startupWarnings" | "global" => {
            let mut lines = warnings;
            if wanted == "global" {
                lines.insert(0, line(10, "I", "CONTROL", 4615611, "MongoDB starting"));
                lines.push(line(4200, "I", "NETWORK", 23016, "Waiting for connections"));
            }
            let total = lines.len() as i32;
            Ok(Document::new()
                .with("totalLinesWritten", total)
                .with("log", lines.into_iter().map(Value::from).collect::<Vec<_>>()))
        }
        other => Err(Fault::new(72, format!("No log named '{other}'"))),
    }
}

fn top(state: &State) -> Document {
    let mut totals = Document::new().with("note", "all times in microseconds");
    for (database, collections) in &state.store.databases {
        for name in collections.keys() {
            let zero = || Document::new().with("time", 0i64).with("count", 0i64);
            totals.push(
                &format!("{database}.{name}"),
                Document::new().with("total", zero()).with("readLock", zero()).with("writeLock", zero()),
            );
        }
    }
    Document::new().with("totals", totals)
}

/// The operation that asks what is under way.
pub(super) fn current(state: &State, client: &Client) -> Document {
    Document::new()
        .with("type", "op")
        .with("host", own_address(state))
        .with("desc", format!("conn{}", client.connection))
        .with("connectionId", client.connection)
        .with("client", client.address.as_str())
        .with("clientMetadata", client.metadata.clone().unwrap_or_default())
        .with("active", true)
        .with("currentOpTime", timestamp::format(state.host.clock.micros()))
        .with("opid", i32::try_from(state.counters.requests % 1_000_000_000).unwrap_or(0))
        .with("secs_running", 0i64)
        .with("microsecs_running", 40i64)
        .with("op", "command")
        .with("ns", "admin.$cmd.aggregate")
        .with("numYields", 0)
        .with("waitingForLock", false)
}

/// A document of numbers.
fn numbers(pairs: &[(&str, i64)]) -> Document {
    Document(pairs.iter().map(|(name, number)| ((*name).to_owned(), Value::Long(*number))).collect())
}

fn status(state: &State, body: &Document) -> Document {
    let persona = &state.persona;
    let c = &state.counters;
    let now = state.now_ms();
    let up = (now - state.started / 1000).max(0);
    let (bytes, documents) = state.store.totals();
    let process = match persona.target {
        "windows" => "C:\\Program Files\\MongoDB\\Server\\bin\\mongod.exe",
        _ => "mongod",
    };
    let resident = 92 + (bytes / (1 << 20)) as i32 + (up / 86_400_000).min(90) as i32;
    let mut out = Document::new()
        .with("host", own_address(state).trim_end_matches(":27017"))
        .with("version", persona.version.as_str())
        .with("process", process)
        .with("pid", persona.pid)
        .with("uptime", (up / 1000) as f64)
        .with("uptimeMillis", up)
        .with("uptimeEstimate", up / 1000)
        .with("localTime", Value::Date(now))
        .with(
            "asserts",
            Document::new()
                .with("regular", 0)
                .with("warning", 0)
                .with("msg", 0)
                .with("user", i32::try_from(c.user_asserts).unwrap_or(i32::MAX))
                .with("tripwire", 0)
                .with("rollovers", 0),
        )
        .with(
            "connections",
            Document::new()
                .with("current", c.connections as i32)
                .with("available", 51_200 - c.connections as i32)
                .with("totalCreated", i32::try_from(c.created).unwrap_or(i32::MAX))
                .with("rejected", 0)
                .with("active", 1.max(c.connections as i32 / 2))
                .with("threaded", c.connections as i32)
                .with("exhaustIsMaster", 0)
                .with("exhaustHello", 0)
                .with("awaitingTopologyChanges", 0),
        );
    if persona.since(5, 0) {
        out.push("electionMetrics", Document::new());
    }
    let locks =
        numbers(&[("r", c.reads * 2 + up / 1000), ("w", c.writes * 2 + up / 60_000), ("R", 1), ("W", 5)]);
    out = out
        .with(
            "extra_info",
            Document::new()
                .with("note", "fields vary by platform")
                .with("user_time_us", up * 4 + c.requests * 60)
                .with("system_time_us", up * 2 + c.requests * 25)
                .with("maximum_resident_set_kb", i64::from(resident) * 1024 + 2048)
                .with("page_faults", 40i64 + up / 9_000_000)
                .with("threads", 33i64 + c.connections),
        )
        .with(
            "flowControl",
            Document::new()
                .with("enabled", true)
                .with("targetRateLimit", 1_000_000_000)
                .with("timeAcquiringMicros", c.writes * 2)
                .with("locksPerKiloOp", 0.0)
                .with("sustainerRate", 0)
                .with("isLagged", false)
                .with("isLaggedCount", 0)
                .with("isLaggedTimeMicros", 0i64),
        )
        .with(
            "globalLock",
            Document::new()
                .with("totalTime", up * 1000)
                .with("currentQueue", Document::new().with("total", 0).with("readers", 0).with("writers", 0))
                .with(
                    "activeClients",
                    Document::new().with("total", 0).with("readers", 0).with("writers", 0),
                ),
        )
        .with(
            "locks",
            Document::new()
                .with("Global", Document::new().with("acquireCount", locks.clone()))
                .with("Database", Document::new().with("acquireCount", locks.clone()))
                .with("Collection", Document::new().with("acquireCount", locks)),
        )
        .with(
            "logicalSessionRecordCache",
            Document::new()
                .with("activeSessionsCount", 1)
                .with("sessionsCollectionJobCount", (up / 300_000) as i32 + 1)
                .with("lastSessionsCollectionJobDurationMillis", 2)
                .with("lastSessionsCollectionJobTimestamp", Value::Date(now - up % 300_000)),
        )
        .with(
            "network",
            numbers(&[
                ("bytesIn", c.bytes_in),
                ("bytesOut", c.bytes_out),
                ("physicalBytesIn", c.bytes_in),
                ("physicalBytesOut", c.bytes_out),
                ("numSlowDNSOperations", 0),
                ("numSlowSSLOperations", 0),
                ("numRequests", c.requests),
            ]),
        )
        .with(
            "opLatencies",
            Document::new()
                .with("reads", numbers(&[("latency", c.read_micros), ("ops", c.reads)]))
                .with("writes", numbers(&[("latency", c.write_micros), ("ops", c.writes)]))
                .with("commands", numbers(&[("latency", c.command * 140), ("ops", c.command)])),
        )
        .with(
            "opcounters",
            numbers(&[
                ("insert", c.insert),
                ("query", c.query),
                ("update", c.update),
                ("delete", c.delete),
                ("getmore", c.getmore),
                ("command", c.command),
            ]),
        )
        .with(
            "opcountersRepl",
            numbers(&[
                ("insert", 0),
                ("query", 0),
                ("update", 0),
                ("delete", 0),
                ("getmore", 0),
                ("command", 0),
            ]),
        )
        .with(
            "storageEngine",
            Document::new()
                .with("name", if persona.since(3, 2) { "wiredTiger" } else { "mmapv1" })
                .with("supportsCommittedReads", true)
                .with("oldestRequiredTimestampForCrashRecovery", Value::Timestamp(0))
                .with("supportsPendingDrops", true)
                .with("supportsSnapshotReadConcern", true)
                .with("readOnly", false)
                .with("persistent", true)
                .with("backupCursorOpen", false),
        )
        .with(
            "transactions",
            numbers(&[
                ("retriedCommandsCount", 0),
                ("currentActive", 0),
                ("currentOpen", 0),
                ("totalStarted", 0),
                ("totalAborted", 0),
                ("totalCommitted", 0),
            ]),
        )
        .with(
            "transportSecurity",
            numbers(&[("1.0", 0), ("1.1", 0), ("1.2", 0), ("1.3", 0), ("unknown", 0)]),
        );
    if persona.since(3, 2) {
        let cache = Document::new()
            .with("bytes currently in the cache", bytes as i64 * 2 + 18_000)
            .with("bytes read into cache", bytes as i64)
            .with("bytes written from cache", c.writes * 900 + 40_000)
            .with(
                "maximum bytes configured",
                (persona.memory.saturating_sub(1024).max(512) / 2) as i64 * 1_048_576,
            )
            .with("pages currently held in the cache", documents as i64 / 40 + 22)
            .with("tracked dirty bytes in the cache", 0i64);
        let wired = Document::new()
            .with("uri", "statistics:")
            .with(
                "block-manager",
                numbers(&[
                    ("blocks read", c.reads / 30 + 60),
                    ("blocks written", c.writes + up / 60_000),
                    ("bytes read", bytes as i64),
                ]),
            )
            .with("cache", cache)
            .with(
                "concurrentTransactions",
                Document::new()
                    .with(
                        "write",
                        Document::new().with("out", 0).with("available", 128).with("totalTickets", 128),
                    )
                    .with(
                        "read",
                        Document::new().with("out", 1).with("available", 127).with("totalTickets", 128),
                    ),
            );
        out.push("wiredTiger", wired);
    }
    out = out
        .with(
            "mem",
            Document::new()
                .with("bits", 64)
                .with("resident", resident)
                .with("virtual", 1540 + resident)
                .with("supported", true),
        )
        .with(
            "metrics",
            Document::new()
                .with(
                    "commands",
                    Document::new()
                        .with("find", numbers(&[("failed", 0), ("total", c.query)]))
                        .with("insert", numbers(&[("failed", 0), ("total", c.insert)]))
                        .with("serverStatus", numbers(&[("failed", 0), ("total", up / 60_000 + 1)])),
                )
                .with(
                    "cursor",
                    Document::new().with("timedOut", 0i64).with(
                        "open",
                        numbers(&[("noTimeout", 0), ("pinned", 0), ("total", state.cursors.len() as i64)]),
                    ),
                )
                .with(
                    "document",
                    numbers(&[
                        ("deleted", c.delete),
                        ("inserted", c.insert),
                        ("returned", c.query * 4),
                        ("updated", c.update),
                    ]),
                )
                .with("operation", numbers(&[("scanAndOrder", 0), ("writeConflicts", 0)]))
                .with("ttl", numbers(&[("deletedDocuments", 0), ("passes", up / 60_000)])),
        );
    // Sections that the client does not want.
    out.0.retain(|(name, _)| !matches!(body.get(name), Some(value) if !value.truth()));
    out
}
