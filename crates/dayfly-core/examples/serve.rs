//! Serves guests without Python: what the data plane costs and how tenants bear each other.
//!
//! `serve [--port 8080] [--threads 1] [--overflow-threads 0] [--spin auto|MICROSECONDS] GUEST.wat...`: each guest answers
//! at `/<its name>`, the baseline page at `/plain`. One line when ready; the figures as JSON for each line of standard
//! input, and at its end, when it stops.

use dayfly_core::core::{Core, CoreOptions, ServerOptions, TenantSpec};
use dayfly_core::error::Error;
use dayfly_core::limits::Limits;
use dayfly_core::secrets::Secrets;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PAGE: &str = "\tthis is a very\n\tlong string if I had the\n\tenergy to type more and more ...\n";

struct Options {
    core: CoreOptions,
    server: ServerOptions,
    guests: Vec<PathBuf>,
}

fn options() -> Result<Options, Error> {
    let code_cache = std::env::temp_dir().join("dayfly-example-code");
    let baseline = ServerOptions {
        baseline_path: Some("/plain".to_owned()),
        baseline_body: PAGE.to_owned(),
        ..ServerOptions::default()
    };
    let mut options = Options { core: CoreOptions::new(code_cache), server: baseline, guests: Vec::new() };
    options.core.threads = 1;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().unwrap_or_default();
            value.parse().map_err(|_| Error::Invalid(format!("`{argument}` needs a number, not `{value}`")))
        };
        match argument.as_str() {
            "--port" => options.server.port = number()? as u16,
            "--threads" => options.core.threads = number()?,
            "--overflow-threads" => options.core.overflow_threads = number()?,
            "--spin" => options.core.spin_us = number().ok().map(|us| us as u32),
            _ => options.guests.push(argument.into()),
        }
    }
    Ok(options)
}

fn publish(core: &Core, guest: &Path) -> Result<(), Error> {
    let name = guest.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let wasm = wat::parse_file(guest).map_err(|error| Error::Refused(error.to_string()))?;
    let snapshot = core.freeze(&wasm, &Limits::default())?;
    let paths = vec![format!("/{name}")];
    core.publish_snapshot(
        &TenantSpec {
            name,
            hosts: Vec::new(),
            paths,
            limits: Limits::default(),
            secrets: Secrets::default(),
            canary: None,
        },
        &snapshot,
    )
}

fn print_stats(core: &Core) {
    println!("{}", serde_json::to_string_pretty(&core.stats()).expect("numbers and names"));
}

fn main() -> Result<(), Error> {
    let options = options()?;
    let core = Arc::new(Core::new(options.core)?);
    options.guests.iter().try_for_each(|guest| publish(&core, guest))?;
    let watched = core.clone();
    std::thread::spawn(move || {
        for _line in std::io::stdin().lines().map_while(Result::ok) {
            print_stats(&watched);
        }
        watched.stop();
    });
    core.serve(&options.server, |address| println!("serving http://{address}"))?;
    print_stats(&core);
    Ok(())
}
