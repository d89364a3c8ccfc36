using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Hit.Bare;

/// <summary>The bare baseline: the cache's slot layout, look-up and leases in plain C. Loops are thread-safe, loading is not.</summary>
internal sealed unsafe class BareCache : IDisposable
{
    private nint _cache;

    private BareCache(nint cache) => _cache = cache;

    /// <summary>Makes the baseline, or says why there is none.</summary>
    /// <param name="pageCount">How many pages it holds.</param>
    /// <param name="frames">Memory of as many 4 KiB frames; the caller's.</param>
    /// <param name="reason">Why the result is null; otherwise null.</param>
    public static BareCache? TryCreate(int pageCount, byte* frames, out string? reason)
    {
        if (!NativeLibrary.TryLoad(BareNative.Library, typeof(BareNative).Assembly, DllImportSearchPath.AssemblyDirectory, out _))
        {
            reason = $"the native library {BareNative.Library} is not beside the program: no C compiler (cc) was found when it was built";
            return null;
        }

        nint cache = BareNative.Create((ulong)pageCount, frames);
        reason = cache == 0 ? "the bare baseline could not get its memory" : null;
        return cache == 0 ? null : new BareCache(cache);
    }

    /// <summary>Makes a page resident in a frame.</summary>
    public void Load(int page, int frame)
    {
        if (BareNative.Load(_cache, (ulong)page, (uint)frame) != 0)
        {
            throw new WorkloadFailedException($"the bare baseline could not load page {page}.");
        }
    }

    /// <summary>Runs one of the loops in C.</summary>
    /// <returns>The sum of what was read or written.</returns>
    public long Run(LeaseKind kind, ReadOnlySpan<int> pages)
    {
        fixed (int* first = pages)
        {
            return kind switch
            {
                LeaseKind.ReadLease or LeaseKind.AsyncRead => BareNative.ReadLease(_cache, first, pages.Length),
                LeaseKind.WriteLease => BareNative.WriteLease(_cache, first, pages.Length),
                LeaseKind.Pin => BareNative.Pin(_cache, first, pages.Length),
                LeaseKind.Optimistic => BareNative.Optimistic(_cache, first, pages.Length),
                _ => throw new ArgumentOutOfRangeException(nameof(kind)),
            };
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        BareNative.Destroy(_cache);
        _cache = 0;
    }
}
