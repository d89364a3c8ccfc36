using System.Runtime.InteropServices;

namespace StorageCache.Platform.Native;

/// <summary>One request to a ring (<c>sc_request</c>). 40 bytes. What an operation has no use for is 0.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RingRequest
{
    /// <summary>What is done.</summary>
    public RingOperation Operation;

    /// <summary>How file and memory are named.</summary>
    public RingRequestFlags Flags;

    /// <summary>Which registered buffer, with <see cref="RingRequestFlags.FixedBuffer"/>.</summary>
    public ushort BufferIndex;

    /// <summary>Descriptor, or index with <see cref="RingRequestFlags.FixedFile"/>.</summary>
    public int File;

    /// <summary>Bytes from the start of the file; <see cref="ulong.MaxValue"/> for what has no positions, such as an event.</summary>
    public ulong Offset;

    /// <summary>Address of the buffer or of the array of <see cref="IoVector"/>; the other's user data to cancel.</summary>
    public ulong Address;

    /// <summary>Bytes of the buffer, or entries of the array.</summary>
    public uint Length;

    /// <summary>How the transfer is carried out.</summary>
    public TransferFlags TransferFlags;

    /// <summary>Comes back in the completion.</summary>
    public ulong UserData;
}
