//! What nmap 7.93 calls the system of each packet persona. The lab's tests hold it to it; README shows it.

/// Slug, and the words behind "OS details:".
pub const WORDS: [(&str, &str); 16] = [
    ("brother", "Brother HL-495CW printer"),
    (
        "cisco-ap",
        "Cisco Aironet 1141N (IOS 12.4) or 3602I (IOS 15.3) WAP, Cisco Aironet 2600-series WAP (IOS 15.2(2))",
    ),
    ("cisco-ios-router", "Cisco IOS 12.4 or IOS-XE 15.3"),
    ("embedded-linux", "OpenWrt Chaos Calmer 15.05 (Linux 3.18) or Designated Driver (Linux 4.1 or 4.4)"),
    ("freebsd-12", "FreeBSD 12.0-RELEASE - 13.0-CURRENT"),
    ("hp-laserjet", "VxWorks: HP printer or Vocality BASICS Four Wire VoIP gateway"),
    ("hp-laserjet-m525", "HP LaserJet M525 printer"),
    ("linux-2.6", "Linux 2.6.9 - 2.6.30"),
    ("linux-3", "Linux 3.2 - 3.10, Linux 3.2 - 3.16"),
    ("linux-5", "Linux 4.15 - 5.6"),
    ("siemens-plc", "Siemens LOGO! 0BA7 PLC"),
    ("voip-linux", "Grandstream GXP1400 VoIP phone"),
    ("windows-10", "Microsoft Windows 10 1709 - 1803"),
    ("windows-7", "Microsoft Windows 7 or 8.1 R1 or Server 2008 R2 SP1"),
    ("windows-server-2016", "Microsoft Windows Server 2016 build 10586 - 14393"),
    ("windows-server-2019", "Microsoft Windows 10 1709 - 1909"),
];
