fn main(){println!("cargo:rustc-link-arg=-Wl,-rpath,{}", std::env::var("DEP_NIX_FFI_LIBDIR").unwrap_or_default());}
