using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace StorageCache.Platform;

/// <summary>A reserved range of address space whose parts are given memory, and stripped of it, on request.</summary>
/// <remarks>
/// <para>
/// Once committed, a byte of the region stays readable until the region is finalized (I/O-13): <see cref="Discard"/> gives the memory
/// back to the kernel and leaves zeros to be read. An optimistic reader may therefore look at bytes that have ceased to mean anything,
/// and never faults. There is no <c>Dispose</c>: the address space goes when the garbage collector proves that nobody can look any more,
/// so whoever uses <see cref="Base"/> or <see cref="ReadBase"/> must keep the region reachable.
/// </para>
/// <para>
/// A guarded region has a second view of the same memory, which cannot be written (P-20). It differs in what memory it is, and therefore
/// in how the memory is given back, and asked for ahead: see <see cref="ReserveGuarded"/>.
/// </para>
/// <para>Thread safety: all members may be called from any thread; calls on overlapping ranges are the caller's to order.</para>
/// </remarks>
internal sealed unsafe partial class MemoryRegion
{
    /// <summary>Bytes; the size of a huge page on both architectures (with 4 KiB base pages), and the alignment of <see cref="Base"/>.</summary>
    public const int BaseAlignment = 2 * 1024 * 1024;

    /// <summary>End of what has been committed; behind it there is nothing to discard. Bytes.</summary>
    private long _committedEnd;

    private MemoryRegion(byte* start, byte* readStart, long size)
    {
        Base = start;
        ReadBase = readStart;
        Size = size;
    }

    /// <summary>Gives the address space back.</summary>
    ~MemoryRegion()
    {
        _ = LibC.munmap((nint)Base, (nuint)Size);
        if (IsGuarded)
        {
            _ = LibC.munmap((nint)ReadBase, (nuint)Size);
        }
    }

    /// <summary>First byte; a multiple of <see cref="BaseAlignment"/>.</summary>
    public byte* Base { get; }

    /// <summary>First byte of the view for reading, a multiple of <see cref="BaseAlignment"/>; <see cref="Base"/> if the region is not guarded.</summary>
    public byte* ReadBase { get; }

    /// <summary>Whether there is a view of its own for reading.</summary>
    public bool IsGuarded => ReadBase != Base;

    /// <summary>Bytes reserved; a multiple of <see cref="BaseAlignment"/>.</summary>
    public long Size { get; }

    /// <summary>Reserves address space, without memory behind it: touching it faults until <see cref="Commit"/>.</summary>
    /// <param name="bytes">At least this many bytes, greater than 0; rounded up to <see cref="BaseAlignment"/>.</param>
    /// <param name="hugePages">What <see cref="AdviseHuge"/> is told at first.</param>
    /// <exception cref="InsufficientMemoryException">The kernel has no such range to give (address space limit).</exception>
    /// <exception cref="IOException">The kernel refuses for another reason.</exception>
    /// <exception cref="PlatformNotSupportedException">Not Linux on x64 or arm64.</exception>
    public static MemoryRegion Reserve(long bytes, bool hugePages)
    {
        LinuxOnly.Demand();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, long.MaxValue / 2);

        long size = RoundUp(bytes, BaseAlignment);
        byte* start = ReserveAligned(size, "reserve");
        MemoryRegion region = new(start, start, size);
        region.Prepare(hugePages);
        return region;
    }

    /// <summary>Makes a range readable and writable; its bytes are zero if it had not been committed before. Memory comes with the first touch.</summary>
    /// <param name="offset">Bytes from <see cref="Base"/>; rounded down to the kernel's page.</param>
    /// <param name="length">Bytes; the end is rounded up to the kernel's page.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the region.</exception>
    /// <exception cref="InsufficientMemoryException">The kernel cannot promise that much memory (strict overcommit, too many mappings).</exception>
    public void Commit(long offset, long length)
    {
        Check(offset, length);
        long page = Environment.SystemPageSize;
        long start = offset / page * page;
        long end = RoundUp(offset + length, page);
        Debug.Assert(!IsGuarded || start <= _committedEnd, "a guarded region is committed from its start on, and discarded up to there (F-8)");
        if (LibC.mprotect((nint)(Base + start), (nuint)(end - start), LibC.PROT_READ | LibC.PROT_WRITE) != 0
            || (IsGuarded && LibC.mprotect((nint)(ReadBase + start), (nuint)(end - start), LibC.PROT_READ) != 0))
        {
            Throw("commit", length, Errno.Last);
        }

        _committedEnd = Math.Max(_committedEnd, end);
        GC.KeepAlive(this);
    }

    /// <summary>Takes the memory of a committed range away. It stays mapped, and its bytes read as zeros.</summary>
    /// <param name="offset">Bytes from <see cref="Base"/>.</param>
    /// <param name="length">Bytes. Kernel pages that lie only partly in the range are cleared and keep their memory.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the region.</exception>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public void Discard(long offset, long length)
    {
        Check(offset, length);

        // madvise rounds the length up to the kernel's page, which may be 64 KiB on arm64: handing it a smaller range would wipe the
        // neighbours. Whole pages go back to the kernel, the edges are cleared by hand, and the caller sees zeros in either case.
        long page = Environment.SystemPageSize;
        long end = offset + length;
        long wholeStart = RoundUp(offset, page);
        long wholeEnd = end / page * page;
        if (wholeStart >= wholeEnd)
        {
            Clear(offset, end);
        }
        else
        {
            Clear(offset, wholeStart);
            DiscardWhole(wholeStart, wholeEnd - wholeStart);
            Clear(wholeEnd, end);
        }

        GC.KeepAlive(this);
    }

    /// <summary>
    /// Takes the memory of the whole region away, committed or not, where the kernel takes it: of a process that has locked its memory
    /// (mlockall) it takes none.
    /// </summary>
    public void DiscardAll()
    {
        int result = LibC.madvise((nint)Base, (nuint)_committedEnd, Discarding);
        Debug.Assert(result == 0 || Errno.Last == Errno.EINVAL, "a region is the region's own");
        GC.KeepAlive(this);
    }

    /// <summary>Asks for transparent huge pages in the whole region, or for none. A kernel without them is not an error.</summary>
    /// <exception cref="IOException">The kernel refuses for another reason.</exception>
    public void AdviseHuge(bool on) => Advise(on ? LibC.MADV_HUGEPAGE : LibC.MADV_NOHUGEPAGE, "advise huge pages for");

    /// <summary>Reserves an aligned range that nothing may touch. The error says what it was for.</summary>
    private static byte* ReserveAligned(long size, string what)
    {
        // The kernel aligns a mapping to its base page only: reserve enough that an aligned range lies inside, and trim both ends.
        nuint reserved = (nuint)size + BaseAlignment;
        nint start = LibC.mmap(0, reserved, LibC.PROT_NONE, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS | LibC.MAP_NORESERVE, -1, 0);
        if (start == LibC.MAP_FAILED)
        {
            Throw(what, size, Errno.Last);
        }

        nint aligned = (nint)RoundUp(start, BaseAlignment);
        nint head = aligned - start;
        nint tail = BaseAlignment - head;
        if (head > 0)
        {
            _ = LibC.munmap(start, (nuint)head);
        }

        if (tail > 0)
        {
            _ = LibC.munmap(aligned + (nint)size, (nuint)tail);
        }

        return (byte*)aligned;
    }

    private void Prepare(bool hugePages)
    {
        // Direct I/O into private memory must not run across a fork: copy-on-write could hand the page that the device writes to the
        // child (open(2), NOTES). A range that children do not inherit is exempt, so that the host may start processes at any time.
        // Shared memory is not copied, but a child has no business with it either.
        Advise(LibC.MADV_DONTFORK, "keep from children");
        AdviseHuge(hugePages);
    }

    private void DiscardWhole(long offset, long length)
    {
        if (LibC.madvise((nint)(Base + offset), (nuint)length, Discarding) == 0)
        {
            return;
        }

        int errno = Errno.Last;
        if (errno != Errno.EINVAL)
        {
            Throw("discard", length, errno);
        }

        // The process has locked its memory (mlockall): the kernel takes none of it back, but the bytes still have to go.
        Clear(offset, offset + length);
    }

    private void Advise(int advice, string what)
    {
        if (LibC.madvise((nint)Base, (nuint)Size, advice) != 0 || (IsGuarded && LibC.madvise((nint)ReadBase, (nuint)Size, advice) != 0))
        {
            int errno = Errno.Last;
            bool kernelWithoutHugePages = errno == Errno.EINVAL && advice is LibC.MADV_HUGEPAGE or LibC.MADV_NOHUGEPAGE;
            if (!kernelWithoutHugePages)
            {
                Throw(what, Size, errno);
            }
        }

        GC.KeepAlive(this);
    }

    private void Clear(long start, long end) => NativeMemory.Clear(Base + start, (nuint)(end - start));

    // Always on: madvise or mprotect outside the region would wipe or unprotect memory that belongs to somebody else.
    private void Check(long offset, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Size - offset);
    }

    private static long RoundUp(long value, long alignment) => (value + alignment - 1) / alignment * alignment;

    [DoesNotReturn]
    private static void Throw(string what, long bytes, int errno)
    {
        string message = $"Cannot {what} {bytes:N0} bytes of memory: {Errno.Describe(errno)}.";
        throw errno == Errno.ENOMEM ? new InsufficientMemoryException(message) : new IOException(message, errno);
    }
}
