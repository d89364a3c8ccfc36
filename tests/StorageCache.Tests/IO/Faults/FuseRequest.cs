using System.Buffers.Binary;

namespace StorageCache.Tests.IO.Faults;

/// <summary>One message of the kernel to a file system in user space: <c>struct fuse_in_header</c> and what follows it.</summary>
internal readonly ref struct FuseRequest(ReadOnlySpan<byte> message)
{
    private const int HeaderSize = 40;
    private const int TransferSize = 40;

    /// <summary><c>FATTR_SIZE</c></summary>
    private const uint ChangesLength = 1 << 3;

    private readonly ReadOnlySpan<byte> _body = message[HeaderSize..];

    public FuseOperation Operation { get; } = (FuseOperation)BinaryPrimitives.ReadUInt32LittleEndian(message[4..]);

    /// <summary>What the answer names.</summary>
    public ulong Unique { get; } = BinaryPrimitives.ReadUInt64LittleEndian(message[8..]);

    public ulong Node { get; } = BinaryPrimitives.ReadUInt64LittleEndian(message[16..]);

    /// <summary>Of a look-up.</summary>
    public string Name => System.Text.Encoding.UTF8.GetString(_body[.._body.IndexOf((byte)0)]);

    /// <summary>Of a transfer.</summary>
    public long Offset => Operation == FuseOperation.Sync ? 0 : BinaryPrimitives.ReadInt64LittleEndian(_body[8..]);

    /// <summary>Of a transfer.</summary>
    public int Length => Operation == FuseOperation.Sync ? 0 : BinaryPrimitives.ReadInt32LittleEndian(_body[16..]);

    /// <summary>Of a write.</summary>
    public ReadOnlySpan<byte> Data => Operation == FuseOperation.Write ? _body.Slice(TransferSize, Length) : default;

    /// <summary>Of a change of attributes; null if it leaves the length alone.</summary>
    public long? NewLength => (BinaryPrimitives.ReadUInt32LittleEndian(_body) & ChangesLength) != 0
        ? BinaryPrimitives.ReadInt64LittleEndian(_body[16..])
        : null;

    /// <summary>The readahead that the kernel offers when it starts.</summary>
    public uint MostReadahead => BinaryPrimitives.ReadUInt32LittleEndian(_body[8..]);
}
