using System.Runtime.CompilerServices;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>Memory for transfers: its first byte lies where any device can have it. Collected like any other, so that nothing can use it too late.</summary>
internal sealed unsafe class AlignedBuffer
{
    private const int Alignment = 4096;

    /// <summary>Pinned for good.</summary>
    private readonly byte[] _bytes;

    /// <summary>Index of the first aligned byte.</summary>
    private readonly int _start;

    /// <param name="size">Bytes.</param>
    public AlignedBuffer(int size)
    {
        _bytes = GC.AllocateArray<byte>(size + Alignment, pinned: true);
        nuint address = (nuint)Unsafe.AsPointer(ref _bytes[0]);
        _start = (int)((Alignment - (address % Alignment)) % Alignment);
        Size = size;
    }

    /// <summary>Bytes.</summary>
    public int Size { get; }

    /// <summary>First byte; valid as long as the buffer is reachable.</summary>
    public byte* Address => (byte*)Unsafe.AsPointer(ref _bytes[_start]);

    /// <summary>All of it.</summary>
    public Span<byte> Span => _bytes.AsSpan(_start, Size);
}
