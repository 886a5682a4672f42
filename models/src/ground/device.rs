//! The device of tensors: a real GPU if there is one, else the CPU. All reads from a device go through here.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::ground::error::{Error, Result};

/// The device a run uses, with its name.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The device.
    pub device: Device,
    /// Its name, for people to read.
    pub name: String,
}

/// The variable that names the device if no argument does.
pub const DEVICE_VARIABLE: &str = "ARRAKIS_DEVICE";

/// The named device, else the one `ARRAKIS_DEVICE` names, else a GPU if there is one, else the CPU.
///
/// # Errors
///
/// [`Error::Device`] for an unknown name or a GPU that does not exist.
pub fn choose(name: Option<&str>) -> Result<Chosen> {
    let variable = std::env::var(DEVICE_VARIABLE).ok().filter(|name| !name.is_empty());
    match name.map(str::to_owned).or(variable) {
        Some(name) => named(&name),
        None => Ok(gpu().unwrap_or_else(cpu)),
    }
}

/// The CPU. The main thread becomes one of those that compute, before Rayon starts a pool of others.
pub fn cpu() -> Chosen {
    arrakis_kernels::add_main_thread();
    Chosen { device: Device::flex(), name: format!("cpu (flex, {} threads)", threads()) }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn named(name: &str) -> Result<Chosen> {
    match name {
        "cpu" | "flex" => Ok(cpu()),
        "gpu" | "wgpu" => gpu().ok_or_else(|| Error::Device {
            device: name.to_owned(),
            problem: "no physical GPU was found by wgpu's probe; use `cpu`, or install the GPU's Vulkan driver".into(),
        }),
        "wgpu-software" => software(),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Chosen { device: Device::cuda(0), name: "cuda:0".into() }),
        other => Err(Error::Device {
            device: other.to_owned(),
            problem:
                "not a device; the devices are `cpu`, `gpu`, `wgpu-software` and, built with their features, `cuda`"
                    .into(),
        }),
    }
}

/// Entries that GPU drivers create in `/dev` on Linux: render nodes, and those of NVIDIA, AMD, WSL and phones.
#[cfg(feature = "wgpu")]
const GPU_NODES: [&str; 6] = ["dri", "nvidiactl", "kfd", "dxg", "mali0", "kgsl-3d0"];

/// Whether a probe for GPUs can find one. A probe loads the whole installed graphics stack, about 80 MB.
#[cfg(feature = "wgpu")]
fn may_have_gpu() -> bool {
    !cfg!(target_os = "linux") || GPU_NODES.iter().any(|node| std::path::Path::new("/dev").join(node).exists())
}

#[cfg(feature = "wgpu")]
fn gpu() -> Option<Chosen> {
    if !may_have_gpu() {
        return None;
    }
    let gpu = Device::enumerate_physical().into_iter().next()?;
    let name = format!("gpu ({}, wgpu)", gpu.name);
    gpu.devices.into_vec().into_iter().next().map(|device| Chosen { device, name })
}

#[cfg(not(feature = "wgpu"))]
fn gpu() -> Option<Chosen> {
    None
}

/// A software adapter (llvmpipe) for tests of the GPU path. The probe for real GPUs ignores it.
#[cfg(feature = "wgpu")]
fn software() -> Result<Chosen> {
    use burn::tensor::{DeviceKind, DeviceType};
    let found = Device::enumerate(DeviceType::Wgpu).into_vec();
    if found.is_empty() {
        return Err(Error::Device {
            device: "wgpu-software".into(),
            problem: "no wgpu adapter was found, not even a software one; on Debian, install `mesa-vulkan-drivers`"
                .into(),
        });
    }
    Ok(Chosen { device: Device::wgpu(DeviceKind::DefaultDevice), name: "wgpu (default adapter)".into() })
}

#[cfg(not(feature = "wgpu"))]
fn software() -> Result<Chosen> {
    Err(Error::Device {
        device: "wgpu-software".into(),
        problem: "this build has no wgpu; build with `--features wgpu`".into(),
    })
}

/// Reads a tensor's numbers as `f32`, row-major. Failures of earlier GPU operations appear here.
///
/// # Errors
///
/// [`Error::Device`] with the root cause first.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let device = tensor.device();
    tensor.try_into_vec_as::<f32>().map_err(|error| device_error(&device, &error))
}

/// A tensor's numbers in single precision, row-major, as they lie in memory.
///
/// # Errors
///
/// [`Error::Device`] with the root cause first.
pub fn read_data<const D: usize>(tensor: Tensor<D>) -> Result<TensorData> {
    let device = tensor.device();
    tensor.try_into_data_dtype(DType::F32).map_err(|error| device_error(&device, &error))
}

/// Waits until all work on the device is done.
///
/// # Errors
///
/// [`Error::Device`] with the root cause first.
pub fn sync(device: &Device) -> Result<()> {
    device.sync().map_err(|error| device_error(device, &error))
}

/// Burn's chain of causes ends with the root. A message starts with it.
fn device_error(device: &Device, error: &dyn std::error::Error) -> Error {
    let mut causes = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    causes.reverse();
    Error::Device { device: format!("{device:?}"), problem: causes.join("; in: ") }
}
