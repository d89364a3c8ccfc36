using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;

namespace StorageCache.Tests.IO.Faults;

/// <summary>The kernel's end of a file system in user space (<c>linux/fuse.h</c>): one directory with one file.</summary>
internal sealed unsafe partial class FuseConnection : IDisposable
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "file";

    /// <summary>The most bytes of one message.</summary>
    public const int BufferSize = MostBytes + 4096;

    private const int MostBytes = 1 << 20;
    private const int AnswerSize = 16;
    private const ulong Root = 1;
    private const ulong File = 2;
    private const int MS_NOSUID = 2;
    private const int MS_NODEV = 4;

    /// <summary><c>FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ASYNC_DIO | FUSE_MAX_PAGES</c></summary>
    private const uint Wishes = (1 << 0) | (1 << 5) | (1 << 15) | (1 << 22);

    /// <summary><c>FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES</c></summary>
    private const uint DirectIo = (1 << 0) | (1 << 6);

    private readonly SafeFileHandle _device;

    private FuseConnection(SafeFileHandle device) => _device = device;

    /// <summary>Mounts. Returns why that failed, or null.</summary>
    public static string? TryMount(string directory, out FuseConnection? connection)
    {
        connection = null;
        SafeFileHandle device = new(LibC.open("/dev/fuse", LibC.O_RDWR | LibC.O_CLOEXEC, 0), ownsHandle: true);
        string? failure = device.IsInvalid ? $"/dev/fuse: {Errno.Describe(Errno.Last)}" : null;
        if (failure is null && mount("storagecache", directory, "fuse", MS_NOSUID | MS_NODEV, $"fd={device.DangerousGetHandle()},rootmode=40000,user_id=0,group_id=0,allow_other") != 0)
        {
            failure = $"mount: {Errno.Describe(Errno.Last)}";
        }

        if (failure is not null)
        {
            device.Dispose();
            return failure;
        }

        connection = new FuseConnection(device);
        return null;
    }

    /// <summary>Ends the connection: what the kernel still waits for fails.</summary>
    public void Dispose() => _device.Dispose();

    /// <summary>Waits for the next request; false when the file system is unmounted.</summary>
    /// <param name="buffer">Of <see cref="BufferSize"/>; the request points into it.</param>
    /// <param name="request">What the kernel asks for.</param>
    public bool TryReceive(byte[] buffer, out FuseRequest request)
    {
        nint count;
        do
        {
            fixed (byte* start = buffer)
            {
                count = read(_device, start, (nuint)buffer.Length);
            }
        }
        while (count < 0 && Errno.Last is Errno.EINTR or Errno.EAGAIN or Errno.ENOENT);

        request = count > 0 ? new FuseRequest(buffer.AsSpan(0, (int)count)) : default;
        return count > 0;
    }

    /// <summary>Answers a request with bytes.</summary>
    public void Reply(ulong unique, ReadOnlySpan<byte> bytes)
    {
        byte[] message = new byte[AnswerSize + bytes.Length];
        bytes.CopyTo(message.AsSpan(AnswerSize));
        Send(unique, errno: 0, message);
    }

    /// <summary>Answers that it is done.</summary>
    public void ReplyDone(ulong unique) => Reply(unique, default);

    /// <summary>Answers with an error.</summary>
    public void ReplyError(ulong unique, int errno) => Send(unique, errno, new byte[AnswerSize]);

    /// <summary>Answers a write.</summary>
    public void ReplyWritten(ulong unique, int count)
    {
        Span<byte> answer = stackalloc byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(answer, count);
        Reply(unique, answer);
    }

    /// <summary>Answers what asks for the file to be opened.</summary>
    public void ReplyOpen(in FuseRequest request)
    {
        Span<byte> answer = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(answer[8..], DirectIo);
        Reply(request.Unique, answer);
    }

    /// <summary>Answers what asks for, or has changed, the attributes of a node.</summary>
    /// <param name="request">The request.</param>
    /// <param name="length">Length of the file.</param>
    public void ReplyAttributes(in FuseRequest request, long length)
    {
        Span<byte> answer = stackalloc byte[104];
        WriteAttributes(answer[16..], request.Node, length);
        Reply(request.Unique, answer);
    }

    /// <summary>Answers whatever needs nothing but the length of the file.</summary>
    public void ReplyOther(in FuseRequest request, long length)
    {
        Span<byte> answer = stackalloc byte[128];
        switch (request.Operation)
        {
            case FuseOperation.Start:
                // Version 7.31 of the protocol, as many requests at once as there are, and as long as they come.
                BinaryPrimitives.WriteUInt32LittleEndian(answer, 7);
                BinaryPrimitives.WriteUInt32LittleEndian(answer[4..], 31);
                BinaryPrimitives.WriteUInt32LittleEndian(answer[8..], request.MostReadahead);
                BinaryPrimitives.WriteUInt32LittleEndian(answer[12..], Wishes);
                BinaryPrimitives.WriteUInt16LittleEndian(answer[16..], 4096);
                BinaryPrimitives.WriteUInt16LittleEndian(answer[18..], 4096);
                BinaryPrimitives.WriteUInt32LittleEndian(answer[20..], MostBytes);
                BinaryPrimitives.WriteUInt32LittleEndian(answer[24..], 1);
                BinaryPrimitives.WriteUInt16LittleEndian(answer[28..], MostBytes / 4096);
                Reply(request.Unique, answer[..64]);
                break;
            case FuseOperation.Lookup when request.Name == FileName:
                BinaryPrimitives.WriteUInt64LittleEndian(answer, File);
                WriteAttributes(answer[40..], File, length);
                Reply(request.Unique, answer);
                break;
            case FuseOperation.Lookup:
                ReplyError(request.Unique, Errno.ENOENT);
                break;
            case FuseOperation.GetAttributes:
                ReplyAttributes(request, length);
                break;
            case FuseOperation.FileSystemStatus:
                Reply(request.Unique, answer[..80]);
                break;
            case FuseOperation.OpenDirectory:
                Reply(request.Unique, answer[..16]);
                break;
            case FuseOperation.Flush or FuseOperation.ReleaseDirectory:
                ReplyDone(request.Unique);
                break;
            case FuseOperation.Forget or FuseOperation.BatchForget or FuseOperation.Interrupt:
                // Nobody waits for an answer.
                break;
            default:
                ReplyError(request.Unique, Errno.ENOSYS);
                break;
        }
    }

    private static void WriteAttributes(Span<byte> attributes, ulong node, long length)
    {
        bool isFile = node == File;
        BinaryPrimitives.WriteUInt64LittleEndian(attributes, node);
        BinaryPrimitives.WriteInt64LittleEndian(attributes[8..], isFile ? length : 0);
        BinaryPrimitives.WriteUInt32LittleEndian(attributes[60..], isFile ? 0x8180u : 0x41c0u);
        BinaryPrimitives.WriteUInt32LittleEndian(attributes[64..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(attributes[80..], 4096);
    }

    private void Send(ulong unique, int errno, byte[] message)
    {
        BinaryPrimitives.WriteInt32LittleEndian(message, message.Length);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(4), -errno);
        BinaryPrimitives.WriteUInt64LittleEndian(message.AsSpan(8), unique);
        fixed (byte* start = message)
        {
            // A request that was interrupted meanwhile is not there any more, and then nobody minds.
            write(_device, start, (nuint)message.Length);
        }
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string source, string target, string type, nuint flags, string data);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(SafeFileHandle file, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(SafeFileHandle file, byte* buffer, nuint count);
}
