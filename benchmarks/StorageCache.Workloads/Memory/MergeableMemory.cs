using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Memory;

/// <summary>Anonymous memory whose pages the kernel may merge with equal ones.</summary>
internal sealed unsafe partial class MergeableMemory : IDisposable
{
    private const int ReadAndWrite = 1 | 2;
    private const int PrivateAndAnonymous = 2 | 0x20;
    private const int AdviseMergeable = 12;
    private const int AdviseNoHugePage = 15;

    private readonly nuint _bytes;
    private byte* _address;

    /// <summary>Maps memory that has not been touched.</summary>
    /// <exception cref="InsufficientMemoryException">There is none.</exception>
    public MergeableMemory(long bytes)
    {
        _bytes = (nuint)bytes;
        nint address = Map(0, _bytes, ReadAndWrite, PrivateAndAnonymous, -1, 0);
        if (address == -1)
        {
            throw new InsufficientMemoryException();
        }

        // Huge pages would be split first, page by page.
        _address = (byte*)address;
        _ = Advise(_address, _bytes, AdviseNoHugePage);
    }

    /// <summary>The bytes from an offset on.</summary>
    public Span<byte> Slice(long offset, int length) => new(_address + offset, length);

    /// <summary>Lets the kernel merge. Returns false where it cannot.</summary>
    public bool TryMakeMergeable() => Advise(_address, _bytes, AdviseMergeable) == 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_address != null)
        {
            _ = Unmap(_address, _bytes);
            _address = null;
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(byte* address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(byte* address, nuint length, int advice);
}
