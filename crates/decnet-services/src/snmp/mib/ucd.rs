//! UCD-SNMP-MIB of net-snmp: memory, load, processor time, disks' traffic, and the agent's own version.

use super::Builder;
use super::facts::Machine;
use super::live::{Flow, Live, LoadForm, Swing};
use super::short::{counter, grows, grows_wide, int, text};

const UCD: &[u32] = &[1, 3, 6, 1, 4, 1, 2021];

/// The subtree.
pub(super) fn ucd(builder: &mut Builder, machine: &Machine<'_>) {
    memory(builder, machine);
    load(builder, machine);
    processor_time(builder, machine);
    disk_traffic(builder, machine);
    builder.scalar(&[UCD, &[16, 1]].concat(), int(250));
    version(builder, machine);
}

fn memory(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |number: u32| [UCD, &[4, number]].concat();
    let course = machine.memory_course();
    let (free, swap_free) = (course.free, course.swap_free);
    builder.scalar(&under(1), int(0));
    builder.scalar(&under(2), text("swap"));
    builder.scalar(&under(3), int(machine.swap));
    builder.scalar(&under(4), Live::Integer(swap_free));
    builder.scalar(&under(5), int(machine.memory));
    builder.scalar(&under(6), Live::Integer(free));
    // Two swings of different periods have no common form; the free memory moves, the swap hardly does.
    let all_free = Swing { low: free.low + swap_free.high, high: free.high + swap_free.high, ..free };
    builder.scalar(&under(11), Live::Integer(all_free));
    builder.scalar(&under(12), int(16_000));
    builder.scalar(&under(13), Live::Integer(course.shared));
    builder.scalar(&under(14), Live::Integer(course.buffers));
    builder.scalar(&under(15), Live::Integer(course.cached));
    // Older versions lack the same in 64 bits, and what is available.
    if machine.net_snmp_since(8) {
        let wide = |number: u64| Live::Wide(Swing { low: number as f64, high: number as f64, ..free });
        builder.scalar(&under(18), wide(machine.swap));
        builder.scalar(&under(19), Live::Wide(swap_free));
        builder.scalar(&under(20), wide(machine.memory));
        builder.scalar(&under(21), Live::Wide(free));
        builder.scalar(&under(22), Live::Wide(all_free));
        builder.scalar(&under(23), wide(16_000));
        builder.scalar(&under(24), Live::Wide(course.shared));
        builder.scalar(&under(25), Live::Wide(course.buffers));
        builder.scalar(&under(26), Live::Wide(course.cached));
    }
    if machine.net_snmp_since(9) {
        builder.scalar(&under(27), Live::Wide(course.available));
    }
    builder.scalar(&under(100), int(0));
    builder.scalar(&under(101), text(""));
}

fn load(builder: &mut Builder, machine: &Machine<'_>) {
    let phase = machine.traffic().0.phase;
    let mut table = builder.table(&[UCD, &[10, 1]].concat(), (1, 101));
    for (index, minutes, spread) in [(1u32, 1u32, 1.4), (2, 5, 0.9), (3, 15, 0.6)] {
        let swing = Swing {
            low: (machine.load * (1.0 - spread)).max(0.0),
            high: machine.load * (1.0 + spread),
            period: 400.0 * f64::from(minutes),
            phase,
        };
        table.row(
            &[index],
            [
                (1, int(index)),
                (2, text(format!("Load-{minutes}"))),
                (3, Live::Load(swing, LoadForm::Text).into()),
                (4, text("12.00")),
                (5, Live::Load(swing, LoadForm::Hundredths).into()),
                (6, Live::Load(swing, LoadForm::Float).into()),
                (100, int(0)),
                (101, text("")),
            ],
        );
    }
}

/// The systemStats group: percentages, and the kernel's counters in hundredths of seconds.
fn processor_time(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |number: u32| [UCD, &[11, number]].concat();
    let phase = machine.traffic().0.phase;
    let busy = machine.load.min(f64::from(machine.processors) * 0.9);
    let time = |share: f64| Flow { rate: share * 100.0, phase, base: 1_400 };
    let percent = |share: f64| {
        let mean = share / f64::from(machine.processors) * 100.0;
        Live::Integer(Swing { low: mean * 0.4, high: mean * 1.9 + 0.9, period: 500.0, phase })
    };
    builder.scalar(&under(1), int(1));
    builder.scalar(&under(2), text("systemStats"));
    for (number, high) in [(3, 0.0), (4, 0.0), (5, 40.0), (6, 9.0), (7, 180.0), (8, 260.0)] {
        builder.scalar(&under(number), Live::Integer(Swing { low: 0.0, high, period: 300.0, phase }));
    }
    builder.scalar(&under(9), percent(busy * 0.6));
    builder.scalar(&under(10), percent(busy * 0.3));
    let idle = 100.0 - busy / f64::from(machine.processors) * 100.0;
    builder.scalar(
        &under(11),
        Live::Integer(Swing { low: (idle - 6.0).max(0.0), high: idle.min(99.0), period: 500.0, phase }),
    );
    let idle_time = f64::from(machine.processors) - busy;
    let flows = [
        time(busy * 0.6),
        time(0.001),
        time(busy * 0.28),
        time(idle_time),
        time(busy * 0.05),
        time(busy * 0.25),
        time(0.0),
        time(0.4 + busy),
        time(2.2 + busy * 4.0),
        time(1.9 + busy * 2.0),
        time(3.7 + busy * 6.0),
        time(busy * 0.03),
        time(0.0),
        time(0.0),
        time(0.0),
        time(0.0),
    ];
    for (number, flow) in (50..).zip(flows) {
        let flow = if (62..=65).contains(&number) { Flow { base: 0, ..flow } } else { flow };
        builder.scalar(&under(number), grows(flow));
    }
    builder.scalar(&under(66), counter(0));
    builder.scalar(&under(67), int(machine.processors));
}

/// diskIOTable.
fn disk_traffic(builder: &mut Builder, machine: &Machine<'_>) {
    let row = machine.identity.os.row.as_str();
    let physical = machine.identity.hardware.vendor.as_str();
    let disk = if physical.starts_with("QEMU") { "vda" } else { "sda" };
    let names: Vec<String> = match row {
        "rocky9" | "centos7" | "fedora" => {
            vec![disk.into(), format!("{disk}1"), format!("{disk}2"), "dm-0".into(), "dm-1".into()]
        }
        "teltonika-rut" => vec!["mtdblock5".into()],
        "edge-hub" => vec!["mmcblk0".into(), "mmcblk0p1".into(), "mmcblk0p2".into()],
        _ => vec![disk.into(), format!("{disk}1"), format!("{disk}2"), format!("{disk}5"), "sr0".into()],
    };
    let phase = machine.traffic().0.phase;
    let rate = machine.identity.draw(&["snmp", "disk traffic"]).between(2_000, 90_000) as f64;
    let mut table = builder.table(&[UCD, &[13, 15, 1, 1]].concat(), (1, 14));
    for (index, name) in (1u32..).zip(&names) {
        let share = match name.as_str() {
            "sr0" => 0.0,
            name if name.ends_with(|last: char| last.is_ascii_digit()) && index > 2 => 0.04,
            _ => 1.0,
        };
        let flow = |factor: f64, base: u64| Flow {
            rate: rate * share * factor,
            phase,
            base: if share > 0.0 { base } else { 0 },
        };
        let read = flow(0.3, 412_903_424);
        let written = flow(1.0, 93_118_464);
        let busy = Swing { low: 0.0, high: 3.0 * share, period: 600.0, phase };
        table.row(
            &[index],
            [
                (1, int(index)),
                (2, text(name)),
                (3, grows(read)),
                (4, grows(written)),
                (5, grows(Flow { base: read.base / 31_000, ..read.times(1.0 / 31_000.0) })),
                (6, grows(Flow { base: written.base / 14_000, ..written.times(1.0 / 14_000.0) })),
                (9, Live::Integer(busy).into()),
                (10, Live::Integer(busy).into()),
                (11, Live::Integer(busy).into()),
                (12, grows_wide(read)),
                (13, grows_wide(written)),
                (14, grows_wide(flow(4.0, 90_000))),
            ],
        );
    }
    builder.scalar(&[UCD, &[13, 14, 1]].concat(), int(1));
}

fn version(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |number: u32| [UCD, &[100, number]].concat();
    builder.scalar(&under(1), int(1));
    builder.scalar(&under(2), text(&machine.persona.version));
    builder.scalar(&under(3), text("$Date$"));
    builder.scalar(&under(4), Live::DateText);
    builder.scalar(&under(5), text("$Id$"));
    builder.scalar(&under(6), text(configure_options(&machine.identity.os.row)));
    for number in [10, 11, 12, 13, 20] {
        builder.scalar(&under(number), int(0));
    }
    let errors = |number: u32| [UCD, &[101, number]].concat();
    builder.scalar(&errors(1), int(0));
    builder.scalar(&errors(2), text("snmp"));
    builder.scalar(&errors(100), int(0));
    builder.scalar(&errors(101), text(""));
}

/// How the distribution configured net-snmp.
fn configure_options(row: &str) -> &'static str {
    match row {
        "rocky9" | "centos7" | "fedora" | "centos6" | "freepbx" => {
            " '--build=x86_64-redhat-linux-gnu' '--host=x86_64-redhat-linux-gnu' '--program-prefix=' \
             '--disable-dependency-tracking' '--prefix=/usr' '--exec-prefix=/usr' '--bindir=/usr/bin' \
             '--sbindir=/usr/sbin' '--sysconfdir=/etc' '--datadir=/usr/share' '--enable-shared' \
             '--with-cflags=' '--with-sys-location=Unknown' '--with-logfile=/var/log/snmpd.log' \
             '--with-persistent-directory=/var/lib/net-snmp'"
        }
        "teltonika-rut" => {
            " '--target=mipsel-openwrt-linux' '--host=mipsel-openwrt-linux' '--build=x86_64-pc-linux-gnu' \
             '--prefix=/usr' '--sysconfdir=/etc' '--enable-mini-agent' '--disable-scripts'"
        }
        // From a running agent of Debian 12; Ubuntu builds the same source package.
        _ => include_str!("../data/debian-configure.txt"),
    }
}
