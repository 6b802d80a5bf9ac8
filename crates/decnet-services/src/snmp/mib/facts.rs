//! What the subtrees agree on: the machine behind the agent, drawn from the identity once.

use std::net::Ipv4Addr;

use decnet_core::identity::Identity;
use decnet_core::plan::Decky;
use decnet_core::service::{Port, Transport};

use super::super::persona::{Persona, Profile, processor_signature};
use super::live::{Flow, Swing};

/// A network interface.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    /// ifDescr.
    pub(crate) descr: String,
    /// ifName.
    pub(crate) name: String,
    /// ifAlias.
    pub(crate) alias: String,
    /// ifType (IANAifType-MIB).
    pub(crate) kind: i32,
    pub(crate) mtu: i32,
    /// Bits per second.
    pub(crate) speed: u64,
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) up: bool,
    /// ifConnectorPresent.
    pub(crate) connector: bool,
    /// Octets in and out.
    pub(crate) received: Flow,
    pub(crate) sent: Flow,
}

/// A file system.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) mount: &'static str,
    /// In blocks of [`Self::BLOCK`] bytes.
    pub(crate) size: u64,
    pub(crate) used: Swing,
    pub(crate) bootable: bool,
    /// Whether it lies in memory.
    pub(crate) volatile: bool,
}

impl Disk {
    /// Bytes of a block.
    pub(crate) const BLOCK: u64 = 4096;
}

/// Where the memory is, in kilobytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) free: Swing,
    pub(crate) buffers: Swing,
    pub(crate) cached: Swing,
    pub(crate) shared: Swing,
    pub(crate) available: Swing,
    pub(crate) swap_free: Swing,
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    pub(crate) decky: &'a Decky,
    pub(crate) identity: &'a Identity,
    pub(crate) persona: &'a Persona,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) address: Ipv4Addr,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) gateway_mac: [u8; 6],
    pub(crate) processors: u32,
    pub(crate) processor: String,
    /// Kilobytes.
    pub(crate) memory: u64,
    /// Kilobytes.
    pub(crate) swap: u64,
    pub(crate) disks: Vec<Disk>,
    /// How busy it is: processors in use on average.
    pub(crate) load: f64,
}

/// The LAN of a decky. A host knows its mask from its configuration; the plan of one decky does not hold
/// it, and /24 is what most LANs are.
pub(crate) const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
/// Bits of [`MASK`].
pub(crate) const PREFIX: u32 = 24;

impl<'a> Machine<'a> {
    /// Draws it.
    pub(crate) fn new(decky: &'a Decky, persona: &'a Persona) -> Machine<'a> {
        let identity = &decky.identity;
        let mut draw = identity.draw(&["snmp", "machine"]);
        let octets = decky.address.octets();
        // The router is at one end of the LAN, as a rule.
        let last = if octets[3] == 1 { 254 } else { 1 };
        let gateway = Ipv4Addr::new(octets[0], octets[1], octets[2], last);
        // The router is the same for all deckies of a fleet, but no decky knows its address; a derived one
        // of a common vendor is what a stranger's ARP table would show.
        let mut gateway_mac = [0x00, 0x1a, 0xa1, 0, 0, 0];
        gateway_mac[3..].copy_from_slice(&[octets[0] ^ 0x5a, octets[1] ^ 0x3c, octets[2] ^ 0x69]);
        let physical =
            !["VMware", "QEMU", "Microsoft"].iter().any(|maker| identity.hardware.vendor.starts_with(maker));
        let processors = *draw.pick(if physical { &[8, 12, 16, 20] } else { &[2, 2, 4, 4, 8] }).unwrap_or(&2);
        let gigabytes = *draw.pick(if physical { &[16, 32, 64] } else { &[4, 8, 8, 16] }).unwrap_or(&8);
        // Firmware and the kernel keep a little for themselves.
        let memory = gigabytes * 1_048_576 - draw.between(90_000, 420_000);
        let swap = *draw.pick(&[998_396, 2_097_148, 4_194_300]).unwrap_or(&2_097_148);
        let load = draw.between(3, 60) as f64 / 100.0;
        let phase = draw.below(1000) as f64 / 1000.0;
        let mut machine = Machine {
            decky,
            identity,
            persona,
            interfaces: Vec::new(),
            address: decky.address,
            gateway,
            gateway_mac,
            processors,
            processor: processor(identity),
            memory,
            swap,
            disks: Vec::new(),
            load,
        };
        machine.interfaces = machine.draw_interfaces(phase);
        machine.disks = machine.draw_disks();
        machine
    }

    /// The ports of one transport that are open on the decky, ascending.
    pub(crate) fn ports(&self, transport: Transport) -> Vec<u16> {
        let mut ports: Vec<u16> = self
            .decky
            .open_ports()
            .filter(|(_, port): &(_, Port)| port.transport == transport)
            .map(|(_, port)| port.number)
            .collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// The interface that the decky is reached on.
    pub(crate) fn uplink(&self) -> u32 {
        self.interfaces
            .iter()
            .find(|interface| interface.address == Some(self.address))
            .map_or(1, |it| it.index)
    }

    /// Where its memory is.
    pub(crate) fn memory_course(&self) -> Memory {
        let phase = self.traffic().0.phase;
        let whole = self.memory as f64;
        let free = self.identity.draw(&["snmp", "memory"]).between(8, 41) as f64 / 100.0;
        let part =
            |low: f64, high: f64| Swing { low: whole * low, high: whole * high, period: 41_000.0, phase };
        let swap = self.swap as f64;
        Memory {
            free: part(free, free + 0.06),
            buffers: part(0.01, 0.015),
            cached: part(0.231, 0.24),
            shared: part(0.003, 0.004),
            available: part(free + 0.2, free + 0.27),
            swap_free: Swing { low: swap * 0.97, high: swap, period: 300_000.0, phase },
        }
    }

    /// Whether snmpd is as new as that; the versions of a distribution are `5.x`.
    pub(crate) fn net_snmp_since(&self, minor: u32) -> bool {
        let mut parts = self.persona.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        parts.next() >= Some(5) && parts.next() >= Some(minor)
    }

    /// The network address of the LAN.
    pub(crate) fn network(&self) -> Ipv4Addr {
        let octets = self.address.octets();
        Ipv4Addr::new(octets[0], octets[1], octets[2], 0)
    }

    /// All octets received and sent but those of loopback, as flows.
    pub(crate) fn traffic(&self) -> (Flow, Flow) {
        let uplink = self.uplink();
        self.interfaces.iter().find(|interface| interface.index == uplink).map_or(
            (Flow { rate: 0.0, phase: 0.0, base: 0 }, Flow { rate: 0.0, phase: 0.0, base: 0 }),
            |it| (it.received, it.sent),
        )
    }

    fn draw_interfaces(&self, phase: f64) -> Vec<Interface> {
        let mut draw = self.identity.draw(&["snmp", "traffic"]);
        let busy = match self.persona.profile {
            Profile::NetSnmp | Profile::Bsnmpd | Profile::Windows => draw.between(4_000, 160_000),
            Profile::CiscoRouter | Profile::CiscoSwitch => draw.between(60_000, 900_000),
            _ => draw.between(150, 1_800),
        } as f64;
        let ratio = draw.between(30, 190) as f64 / 100.0;
        let flow = |rate: f64, base: u64| Flow { rate, phase, base };
        let (received, sent) = (flow(busy, 48_211), flow(busy * ratio, 31_874));
        let mac = Some(self.decky.mac.octets());
        let ethernet = |index: u32, descr: &str, name: &str, speed: u64| Interface {
            index,
            descr: descr.to_owned(),
            name: name.to_owned(),
            alias: String::new(),
            kind: 6,
            mtu: 1500,
            speed,
            mac,
            address: Some(self.address),
            up: true,
            connector: true,
            received,
            sent,
        };
        let idle = flow(0.0, 0);
        let loopback = |index: u32, name: &str, speed: u64, mtu: i32| {
            let inside = flow(busy / 40.0 + 3.0, 9_120);
            Interface {
                index,
                descr: name.to_owned(),
                name: name.to_owned(),
                alias: String::new(),
                kind: 24,
                mtu,
                speed,
                mac: None,
                address: Some(Ipv4Addr::LOCALHOST),
                up: true,
                connector: false,
                received: inside,
                sent: inside,
            }
        };
        match self.persona.profile {
            Profile::NetSnmp => {
                let (device, name, speed) = self.linux_card();
                vec![loopback(1, "lo", 10_000_000, 65_536), ethernet(2, &device, name, speed)]
            }
            Profile::Bsnmpd => vec![
                ethernet(1, "igb0", "igb0", 1_000_000_000),
                Interface {
                    up: false,
                    mac: self.sibling_mac(1),
                    address: None,
                    received: idle,
                    sent: idle,
                    ..ethernet(2, "igb1", "igb1", 0)
                },
                loopback(3, "lo0", 0, 16_384),
            ],
            Profile::Windows => {
                let card = self.windows_card();
                vec![
                    loopback(1, "Software Loopback Interface 1", 1_073_741_824, 1500),
                    Interface {
                        name: "ethernet_32769".into(),
                        alias: "Ethernet0".into(),
                        ..ethernet(draw.between(4, 15) as u32, card, "", 1_000_000_000)
                    },
                ]
            }
            Profile::Brother => vec![
                Interface { name: String::new(), ..ethernet(1, "Brother NC-8200h", "", 100_000_000) },
                Interface { index: 2, ..loopback(2, "Local", 10_000_000, 1500) },
            ],
            Profile::HpPrinter => vec![
                Interface {
                    name: String::new(),
                    ..ethernet(1, "HP ETHERNET MULTI-ENVIRONMENT", "", 1_000_000_000)
                },
                loopback(2, "LOOPBACK", 0, 1536),
            ],
            Profile::Siemens => vec![
                Interface {
                    mac: self.sibling_mac(1),
                    address: None,
                    received: received.times(0.9),
                    sent: sent.times(0.9),
                    alias: String::new(),
                    ..ethernet(1, "Siemens, SIMATIC S7, Ethernet Port, X1 P1", "port-001", 100_000_000)
                },
                ethernet(2, "Siemens, SIMATIC S7, internal, X1", "internal", 100_000_000),
            ],
            Profile::Schneider => vec![ethernet(1, "Ethernet", "Ethernet", 100_000_000)],
            Profile::Ups => vec![ethernet(1, "eth0", "eth0", 100_000_000), loopback(2, "lo", 0, 16_436)],
            Profile::CiscoRouter => {
                let mut list = vec![
                    Interface {
                        up: false,
                        mac: self.sibling_mac(0xff),
                        address: None,
                        received: idle,
                        sent: idle,
                        ..ethernet(1, "Embedded-Service-Engine0/0", "Em0/0", 10_000_000)
                    },
                    Interface {
                        alias: "LAN".into(),
                        ..ethernet(2, "GigabitEthernet0/0", "Gi0/0", 1_000_000_000)
                    },
                    Interface {
                        alias: "WAN uplink".into(),
                        mac: self.sibling_mac(1),
                        address: None,
                        received: sent,
                        sent: received,
                        ..ethernet(3, "GigabitEthernet0/1", "Gi0/1", 1_000_000_000)
                    },
                    Interface {
                        up: false,
                        mac: self.sibling_mac(2),
                        address: None,
                        received: idle,
                        sent: idle,
                        ..ethernet(4, "GigabitEthernet0/2", "Gi0/2", 1_000_000_000)
                    },
                ];
                let null = Interface {
                    index: 5,
                    descr: "Null0".into(),
                    name: "Nu0".into(),
                    kind: 1,
                    speed: 4_294_967_295,
                    mac: None,
                    address: None,
                    connector: false,
                    received: idle,
                    sent: idle,
                    ..list[1].clone()
                };
                list.push(Interface { alias: String::new(), ..null });
                list
            }
            Profile::CiscoSwitch => {
                let mut list = vec![Interface {
                    kind: 53,
                    connector: false,
                    alias: String::new(),
                    received: received.times(0.01),
                    sent: sent.times(0.01),
                    ..ethernet(1, "Vlan1", "Vl1", 1_000_000_000)
                }];
                for port in 1..=24u32 {
                    let up = draw.below(3) > 0;
                    let share = draw.between(1, 90) as f64 / 100.0;
                    list.push(Interface {
                        up,
                        mac: self.sibling_mac(port as u8),
                        address: None,
                        received: if up { received.times(share) } else { idle },
                        sent: if up { sent.times(share) } else { idle },
                        ..ethernet(
                            10_000 + port,
                            &format!("FastEthernet0/{port}"),
                            &format!("Fa0/{port}"),
                            100_000_000,
                        )
                    });
                }
                for port in 1..=2u32 {
                    let up = port == 1;
                    list.push(Interface {
                        up,
                        mac: self.sibling_mac(24 + port as u8),
                        address: None,
                        alias: if up { "uplink".into() } else { String::new() },
                        received: if up { received } else { idle },
                        sent: if up { sent } else { idle },
                        ..ethernet(
                            10_100 + port,
                            &format!("GigabitEthernet0/{port}"),
                            &format!("Gi0/{port}"),
                            1_000_000_000,
                        )
                    });
                }
                list.push(Interface {
                    kind: 1,
                    mac: None,
                    address: None,
                    connector: false,
                    received: idle,
                    sent: idle,
                    ..ethernet(10_501, "Null0", "Nu0", 4_294_967_295)
                });
                list
            }
        }
    }

    /// The decky's address, so many further on: the ports of one device are numbered in a row.
    fn sibling_mac(&self, steps: u8) -> Option<[u8; 6]> {
        let mut mac = self.decky.mac.octets();
        mac[5] = mac[5].wrapping_add(steps);
        Some(mac)
    }

    /// ifDescr, ifName and speed of the card. Since 5.8 snmpd asks the PCI library what it is called.
    fn linux_card(&self) -> (String, &'static str, u64) {
        let vendor = self.identity.hardware.vendor.as_str();
        let old_names =
            ["centos6", "alpine", "teltonika-rut", "edge-hub"].contains(&self.identity.os.row.as_str());
        let (card, name, speed): (&str, &str, u64) = match vendor {
            vendor if vendor.starts_with("VMware") => {
                ("VMware VMXNET3 Ethernet Controller", "ens192", 4_294_967_295)
            }
            vendor if vendor.starts_with("QEMU") => ("Red Hat, Inc. Virtio network device", "enp1s0", 0),
            vendor if vendor.starts_with("Microsoft") => ("eth0", "eth0", 1_000_000_000),
            vendor if vendor.starts_with("Dell") => (
                "Broadcom Inc. and subsidiaries NetXtreme BCM5720 2-port Gigabit Ethernet PCIe",
                "eno1",
                1_000_000_000,
            ),
            vendor if vendor.starts_with("HPE") => (
                "Broadcom Inc. and subsidiaries NetXtreme BCM5719 Gigabit Ethernet PCIe",
                "eno1",
                1_000_000_000,
            ),
            vendor if vendor.starts_with("Supermicro") || vendor.starts_with("Intel") => {
                ("Intel Corporation I350 Gigabit Network Connection", "eno1", 1_000_000_000)
            }
            "Teltonika" => ("eth0", "eth0", 100_000_000),
            _ => ("eth0", "eth0", 1_000_000_000),
        };
        let name = if old_names { "eth0" } else { name };
        let descr = if self.net_snmp_since(8) && !old_names { card } else { name };
        (descr.to_owned(), name, speed)
    }

    fn windows_card(&self) -> &'static str {
        match self.identity.hardware.vendor.as_str() {
            vendor if vendor.starts_with("VMware") => "vmxnet3 Ethernet Adapter",
            vendor if vendor.starts_with("QEMU") => "Red Hat VirtIO Ethernet Adapter",
            vendor if vendor.starts_with("Microsoft") => "Microsoft Hyper-V Network Adapter",
            vendor if vendor.starts_with("Dell") => "Broadcom NetXtreme Gigabit Ethernet",
            vendor if vendor.starts_with("HPE") => "HPE Ethernet 1Gb 4-port 331i Adapter",
            _ => "Intel(R) Ethernet Connection I219-LM",
        }
    }

    fn draw_disks(&self) -> Vec<Disk> {
        let mut draw = self.identity.draw(&["snmp", "disks"]);
        let blocks = |gigabytes: u64| gigabytes * (1 << 30) / Disk::BLOCK;
        let mut disk = |mount: &'static str, gigabytes: u64, bootable: bool| {
            // The file system itself takes a few percent.
            let size = blocks(gigabytes) - blocks(gigabytes) / 50 - draw.below(9_000);
            let full = draw.between(12, 68) as f64 / 100.0;
            let used = Swing {
                low: size as f64 * full,
                high: size as f64 * (full + 0.03),
                period: 700_000.0,
                phase: draw.below(1000) as f64 / 1000.0,
            };
            Disk { mount, size, used, bootable, volatile: false }
        };
        match self.persona.profile {
            Profile::NetSnmp => {
                let mut disks = vec![disk("/", 40, true), disk("/boot", 1, false)];
                if self.identity.draw(&["snmp", "volumes"]).below(3) == 0 {
                    disks.push(disk("/var", 80, false));
                }
                let in_memory = |mount, share: u64, used: f64| Disk {
                    mount,
                    size: self.memory * 1024 / Disk::BLOCK / share,
                    used: Swing { low: used, high: used + 12.0, period: 90_000.0, phase: 0.1 },
                    bootable: false,
                    volatile: true,
                };
                disks.insert(0, in_memory("/run", 10, 220.0));
                disks.insert(2, in_memory("/dev/shm", 2, 0.0));
                disks.insert(3, Disk { size: 1280, ..in_memory("/run/lock", 2, 1.0) });
                disks
            }
            Profile::Bsnmpd => {
                vec![disk("/", 40, true), disk("/var", 60, false), disk("/usr/home", 120, false)]
            }
            Profile::Windows => vec![disk("C:\\", 120, true), disk("D:\\", 400, false)],
            _ => Vec::new(),
        }
    }
}

fn processor(identity: &Identity) -> String {
    let mut draw = identity.draw(&["snmp", "processor name"]);
    match identity.os.architecture.as_str() {
        "mips" => "MIPS 24KEc V5.5".to_owned(),
        arm if arm.starts_with("arm") => "ARMv7 Processor rev 4 (v7l)".to_owned(),
        _ => match identity.os.family {
            decnet_core::identity::OsFamily::Windows => {
                let (_, model, _) = processor_signature(identity);
                match model {
                    85 => "Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz",
                    106 => "Intel(R) Xeon(R) Silver 4310 CPU @ 2.10GHz",
                    79 => "Intel(R) Xeon(R) CPU E5-2650 v4 @ 2.20GHz",
                    _ => "Intel(R) Core(TM) i5-10500 CPU @ 3.10GHz",
                }
                .to_owned()
            }
            _ => draw
                .pick(&[
                    "GenuineIntel: Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz",
                    "GenuineIntel: Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz",
                    "GenuineIntel: Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz",
                    "GenuineIntel: Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz",
                    "AuthenticAMD: AMD EPYC 7302 16-Core Processor",
                ])
                .copied()
                .unwrap_or("GenuineIntel: Intel(R) Xeon(R) Silver 4210 CPU @ 2.20GHz")
                .to_owned(),
        },
    }
}
