#include "border.hh"

#include <gc/gc.h>

extern "C" size_t nix_ffi_heap_size() noexcept
{
    return GC_get_heap_size();
}

extern "C" size_t nix_ffi_heap_used() noexcept
{
    // Both numbers may change between the calls.
    size_t free = GC_get_free_bytes();
    size_t size = GC_get_heap_size();
    return size > free ? size - free : 0;
}

extern "C" const void * nix_ffi_heap_object() noexcept
{
    return GC_malloc_atomic(1);
}

extern "C" bool nix_ffi_heap_has(const void * address) noexcept
{
    return GC_is_heap_ptr(address);
}
