//! False claims, coverage and time of every test that a claim can name, by simulation:
//! `cargo bench --profile dev -p arrakis-tests --bench claims -- [SIMULATIONS] [NAME]`.

mod draws;
mod tables;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = arguments.iter().find_map(|word| word.parse().ok());
    let name = arguments.iter().find(|word| word.parse::<usize>().is_err()).cloned().unwrap_or_default();
    let simulations = number.unwrap_or(2000);
    println!(
        "{simulations} simulations a row, alpha = 0.05; two binomial standard errors are {:.1}%\n",
        200.0 * (0.05 * 0.95 / simulations as f64).sqrt()
    );
    for table in tables::ALL.iter().filter(|table| table.name.contains(&name)) {
        println!("## {}\n", table.name);
        (table.print)(simulations);
        println!();
    }
}
