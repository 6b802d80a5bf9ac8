//! Printers: Printer-MIB (RFC 3805), the printer's part of HOST-RESOURCES-MIB, and what Brother and HP add.

use super::Builder;
use super::facts::Machine;
use super::live::{Flow, Live, Swing};
use super::short::{bytes, int, no_oid, oid, text};
use crate::snmp::persona::Profile;

const PRINTER: &[u32] = &[1, 3, 6, 1, 2, 1, 43];
const HOST: &[u32] = &[1, 3, 6, 1, 2, 1, 25];
const BROTHER: &[u32] = &[1, 3, 6, 1, 4, 1, 2435, 2, 3, 9];
const HP: &[u32] = &[1, 3, 6, 1, 4, 1, 11, 2, 3, 9];
/// Printer port monitor (PWG 5107.1), which discovery tools read.
const PORT_MONITOR: &[u32] = &[1, 3, 6, 1, 4, 1, 2699, 1, 2, 1, 2, 1, 1];

/// What a printer has of each supply.
struct Supply {
    /// prtMarkerSuppliesDescription.
    name: String,
    /// prtMarkerSuppliesType: 3 toner, 9 photoconductor.
    kind: i32,
    /// Percent left, falling.
    left: Swing,
}

/// Pages printed since the device was made.
fn pages(machine: &Machine<'_>) -> Flow {
    let mut draw = machine.identity.draw(&["snmp", "pages"]);
    // Printed before the last boot, and some hundred a week since.
    Flow {
        rate: draw.between(2, 40) as f64 / 10_000.0,
        phase: machine.traffic().0.phase,
        base: draw.between(2_400, 96_000),
    }
}

fn model(machine: &Machine<'_>) -> String {
    let hardware = &machine.identity.hardware;
    if hardware.model.starts_with(&hardware.vendor) {
        hardware.model.clone()
    } else {
        format!("{} {}", hardware.vendor, hardware.model)
    }
}

fn supplies(machine: &Machine<'_>) -> Vec<Supply> {
    let mut draw = machine.identity.draw(&["snmp", "supplies"]);
    let colour = machine.identity.hardware.model.contains("Color");
    let hp = machine.persona.profile == Profile::HpPrinter;
    let mut list = Vec::new();
    let names: &[&str] = if colour { &["Black", "Cyan", "Magenta", "Yellow"] } else { &["Black"] };
    for name in names {
        let name = if hp {
            format!("{name} Cartridge HP CE{}A\0", draw.between(250, 410))
        } else {
            format!("{name} Toner Cartridge")
        };
        let level = draw.between(8, 92) as f64;
        list.push(Supply { name, kind: 3, left: Swing { low: level, high: level, period: 1.0, phase: 0.0 } });
    }
    let level = draw.between(35, 96) as f64;
    let name = if hp { "Maintenance Kit\0" } else { "Drum Unit" };
    list.push(Supply {
        name: name.into(),
        kind: 9,
        left: Swing { low: level, high: level, period: 1.0, phase: 0.0 },
    });
    list
}

/// Everything of a printer.
pub(super) fn printer(builder: &mut Builder, machine: &Machine<'_>) {
    host_part(builder, machine);
    general(builder, machine);
    paper(builder, machine);
    marker(builder, machine);
    console(builder, machine);
    match machine.persona.profile {
        Profile::HpPrinter => hp(builder, machine),
        _ => brother(builder, machine),
    }
    // Index, name, device id, ports.
    let model = model(machine);
    let mut table = builder.table(PORT_MONITOR, (1, 4));
    table.row(&[1], [(2, text(&model)), (3, text(device_id(machine))), (4, int(2))]);
}

/// IEEE 1284 device id.
fn device_id(machine: &Machine<'_>) -> String {
    let hardware = &machine.identity.hardware;
    match machine.persona.profile {
        Profile::HpPrinter => format!(
            "MFG:Hewlett-Packard;CMD:PJL,PML,PCLXL,URP,PCL,PDF,POSTSCRIPT;MDL:HP {0};CLS:PRINTER;DES:Hewlett-Packard {0};\
             MEM:MEM=247MB;COMMENT:RES=600x8;LEDMDIS:USB#ff#04#01;CID:HPLJPDLV1;",
            hardware.model
        ),
        _ => format!(
            "MFG:Brother;CMD:PJL,PCL,PCLXL,URF;MDL:{};CLS:PRINTER;CID:Brother Laser Type1;",
            hardware.model
        ),
    }
}

fn host_part(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |rest: &[u32]| [HOST, rest].concat();
    let model = model(machine);
    builder.scalar(&under(&[1, 1]), Live::SystemUptime);
    builder.scalar(&under(&[2, 2]), int(131_072));
    let mut storage = builder.table(&under(&[2, 3, 1]), (1, 7));
    storage.row(
        &[1],
        [
            (1, int(1)),
            (2, oid(&under(&[2, 1, 2]))),
            (3, text("RAM")),
            (4, int(1024)),
            (5, int(131_072)),
            (6, Live::Integer(Swing { low: 38_000.0, high: 61_000.0, period: 5_000.0, phase: 0.2 }).into()),
            (7, super::short::counter(0)),
        ],
    );
    let mut devices = builder.table(&under(&[3, 2, 1]), (1, 6));
    devices.row(
        &[1],
        [
            (1, int(1)),
            (2, oid(&under(&[3, 1, 5]))),
            (3, text(&model)),
            (4, no_oid()),
            (5, int(2)),
            (6, super::short::counter(0)),
        ],
    );
    // Idle, and no error: hrPrinterStatus 3, hrPrinterDetectedErrorState all zero.
    let mut printers = builder.table(&under(&[3, 5, 1]), (1, 2));
    printers.row(&[1], [(1, int(3)), (2, bytes([0]))]);
}

fn general(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |rest: &[u32]| [PRINTER, rest].concat();
    let mut table = builder.table(&under(&[5, 1, 1]), (1, 19));
    let model = model(machine);
    table.row(
        &[1],
        [
            (1, super::short::counter(machine.identity.draw(&["snmp", "configuration"]).between(2, 60) as u32)),
            (2, int(1)),
            (3, int(1)),
            (4, text("")),
            (5, text("")),
            (6, int(1)),
            (7, int(1)),
            (8, int(1)),
            (9, int(1)),
            (10, int(1)),
            (11, int(2)),
            (12, int(16)),
            (13, int(5)),
            (16, text(model)),
            (17, text(&machine.identity.hardware.serial)),
            (18, super::short::counter(0)),
            (19, super::short::counter(0)),
        ],
    );
    let mut covers = builder.table(&under(&[6, 1, 1]), (1, 3));
    for (index, name) in [(1, "Front Cover"), (2, "Back Cover")] {
        covers.row(&[1, index], [(2, text(name)), (3, int(4))]);
    }
    let mut locale = builder.table(&under(&[7, 1, 1]), (1, 4));
    locale.row(&[1, 1], [(2, text("en")), (3, text("US")), (4, int(106))]);
}

fn paper(builder: &mut Builder, machine: &Machine<'_>) {
    let mut draw = machine.identity.draw(&["snmp", "paper"]);
    let under = |rest: &[u32]| [PRINTER, rest].concat();
    let metric = !machine.identity.times.timezone.starts_with("America/");
    let (media, width, length) =
        if metric { ("iso_a4_210x297mm", 2100, 2970) } else { ("na_letter_8.5x11in", 2159, 2794) };
    let mut inputs = builder.table(&under(&[8, 2, 1]), (1, 24));
    for (index, name, capacity) in [(1u32, "MP Tray", 50), (2, "Tray 1", 250)] {
        let level = if index == 1 { -3 } else { draw.between(30, 250) as i32 };
        inputs.row(
            &[1, index],
            [
                (2, int(if index == 1 { 5 } else { 3 })),
                (3, int(4)),
                (4, int(length * 10)),
                (5, int(width * 10)),
                (6, int(length * 10)),
                (7, int(width * 10)),
                (8, int(8)),
                (9, int(capacity)),
                (10, int(level)),
                (11, int(0)),
                (12, text(media)),
                (13, text(name)),
                (18, text(name)),
            ],
        );
    }
    let mut outputs = builder.table(&under(&[9, 2, 1]), (1, 24));
    outputs.row(
        &[1, 1],
        [(2, int(3)), (3, int(8)), (4, int(100)), (5, int(-3)), (6, int(0)), (7, text("Face down bin"))],
    );
}

fn marker(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |rest: &[u32]| [PRINTER, rest].concat();
    let pages = pages(machine);
    let mut markers = builder.table(&under(&[10, 2, 1]), (1, 15));
    markers.row(
        &[1, 1],
        [
            (2, int(4)),
            (3, int(7)),
            (4, Live::Count32(pages).into()),
            (5, Live::Count32(Flow { base: 0, ..pages }).into()),
            (6, int(1)),
            (7, int(0)),
            (8, int(1)),
            (9, int(3)),
            (10, int(600)),
            (11, int(600)),
            (12, int(42)),
            (13, int(42)),
            (14, int(42)),
            (15, int(0)),
        ],
    );
    let supplies = supplies(machine);
    let mut table = builder.table(&under(&[11, 1, 1]), (1, 9));
    for (index, supply) in (1u32..).zip(&supplies) {
        table.row(
            &[1, index],
            [
                (2, int(1)),
                (3, int(if supply.kind == 3 { index } else { 0 })),
                (4, int(3)),
                (5, int(supply.kind)),
                (6, text(&supply.name)),
                (7, int(19)),
                (8, int(100)),
                (9, Live::Integer(supply.left).into()),
            ],
        );
    }
    let mut colours = builder.table(&under(&[12, 1, 1]), (1, 5));
    for (index, name) in (1u32..).zip(["black", "cyan", "magenta", "yellow"]).take(supplies.len() - 1) {
        colours.row(&[1, index], [(2, int(1)), (3, int(3)), (4, text(name)), (5, int(2))]);
    }
    let mut channels = builder.table(&under(&[14, 1, 1]), (1, 9));
    channels.row(
        &[1, 1],
        [
            (2, int(11)),
            (3, text("9100")),
            (4, int(1)),
            (5, int(1)),
            (6, int(1)),
            (7, int(1)),
            (8, int(0)),
            (9, text("Port=9100")),
        ],
    );
    let mut languages = builder.table(&under(&[15, 1, 1]), (1, 12));
    for (index, kind, name) in [(1, 5, "PJL"), (2, 3, "PCL"), (3, 47, "PCL XL")] {
        languages
            .row(&[1, index], [(2, int(kind)), (3, text("")), (4, text("")), (5, text(name)), (12, int(3))]);
    }
}

fn console(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |rest: &[u32]| [PRINTER, rest].concat();
    let shown = if machine.persona.profile == Profile::HpPrinter { "Ready" } else { "Sleep" };
    let mut lines = builder.table(&under(&[16, 5, 1]), (1, 2));
    for index in 1..=2u32 {
        lines.cell(2, &[1, index], text(if index == 1 { shown } else { "" }));
    }
    let mut lights = builder.table(&under(&[17, 6, 1]), (1, 5));
    lights.row(&[1, 1], [(2, int(1)), (3, int(0)), (4, int(2)), (5, text("Ready"))]);
    builder.table(&under(&[18, 1, 1]), (1, 9));
}

/// The subtree of Brother's network cards.
fn brother(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |rest: &[u32]| [BROTHER, rest].concat();
    let hardware = &machine.identity.hardware;
    builder.scalar(&under(&[1, 1, 7]), text(device_id(machine)));
    builder.scalar(&under(&[4, 2, 1, 5, 4, 1]), text(machine.identity.names.hostname.as_str()));
    builder.scalar(&under(&[4, 2, 1, 5, 4, 2]), text(model(machine)));
    builder.scalar(&under(&[4, 2, 1, 5, 4, 17]), text(&machine.identity.os.version));
    builder.scalar(&under(&[4, 2, 1, 5, 5, 1]), text(&hardware.serial));
    // Counters and remaining life: a list of tag, length, four bytes.
    let left = supplies(machine);
    let percent = |index: usize| left.get(index).map_or(50, |supply| supply.left.low as u32);
    let mut maintenance = Vec::new();
    for (tag, value) in
        [(0x41u8, percent(1) * 100), (0x31, 1), (0x11, 1), (0x6f, percent(0) * 100), (0x81, percent(0))]
    {
        maintenance.extend([tag, 1, 4]);
        maintenance.extend(value.to_be_bytes());
    }
    maintenance.push(0xff);
    builder.scalar(&under(&[4, 2, 1, 5, 5, 8]), bytes(maintenance));
    let mut counters = Vec::new();
    for (tag, share) in [(0x00u8, 100u64), (0x01, 92), (0x02, 8)] {
        counters.extend([tag, 1, 4]);
        counters.extend(((pages(machine).base * share / 100) as u32).to_be_bytes());
    }
    counters.push(0xff);
    builder.scalar(&under(&[4, 2, 1, 5, 5, 10]), bytes(counters));
    builder.scalar(&under(&[4, 2, 1, 5, 5, 17]), text(&machine.identity.os.version));
}

/// The subtree of HP's printers (HP-LASERJET-COMMON-MIB).
fn hp(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |rest: &[u32]| [HP, rest].concat();
    let hardware = &machine.identity.hardware;
    builder.scalar(&under(&[1, 1, 7]), text(device_id(machine)));
    builder.scalar(&under(&[1, 1, 3]), text("Ready"));
    let device = |rest: &[u32]| [HP, &[4, 2, 1], rest].concat();
    builder.scalar(&device(&[1, 3, 2]), text(&hardware.model));
    builder.scalar(&device(&[1, 3, 3]), text(&hardware.serial));
    builder.scalar(&device(&[1, 3, 5]), text(machine.identity.os.version.as_str()));
    builder.scalar(&device(&[1, 3, 6]), text(&machine.identity.os.version));
    builder.scalar(&device(&[4, 1, 2, 5]), Live::Count32(pages(machine)));
    builder.scalar(&device(&[4, 1, 2, 6]), Live::Count32(pages(machine).times(0.92)));
    // The JetDirect card: name, address, and whether somebody set a password (no).
    let card = |rest: &[u32]| [&[1, 3, 6, 1, 4, 1, 11, 2, 4, 3][..], rest].concat();
    builder.scalar(&card(&[1, 1]), int(1));
    builder.scalar(&card(&[1, 12, 1, 2, 1]), text(machine.identity.names.hostname.as_str()));
    builder.scalar(&card(&[5, 1]), int(1));
    builder.scalar(&card(&[5, 2]), super::short::ip(machine.address));
}
