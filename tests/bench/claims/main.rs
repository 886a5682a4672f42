//! False claims, coverage and time of every test that a claim can name, by simulation:
//! `cargo bench --profile dev -p arrakis-tests --bench claims -- [SIMULATIONS] [TABLE] [WORDS OF ROWS]`.

mod draws;
mod tables;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = arguments.iter().find_map(|word| word.parse().ok());
    let mut words = arguments.into_iter().filter(|word| word.parse::<usize>().is_err());
    let name = words.next().unwrap_or_default();
    let asked = tables::Asked { simulations: number.unwrap_or(2000), rows: words.collect() };
    println!(
        "{} simulations a row, alpha = 0.05; two binomial standard errors are {:.1}%\n",
        asked.simulations,
        200.0 * (0.05 * 0.95 / asked.simulations as f64).sqrt()
    );
    for table in tables::ALL.iter().filter(|table| table.name.contains(&name)) {
        println!("## {}\n", table.name);
        (table.print)(&asked);
        println!();
    }
}
