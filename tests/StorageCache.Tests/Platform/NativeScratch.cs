using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Platform;

/// <summary>Files for tests of the native library, and aligned memory that goes away with them.</summary>
internal sealed unsafe class NativeScratch(string? parent = null) : IDisposable
{
    public const int Page = 4096;
    private readonly ScratchDirectory _directory = new(parent);
    private readonly List<nint> _memory = [];
    private readonly List<SafeFileHandle> _files = [];

    public void Dispose()
    {
        _files.ForEach(file => file.Dispose());
        _memory.ForEach(memory => NativeMemory.AlignedFree((void*)memory));
        _directory.Dispose();
    }

    /// <summary>A file that is open for both, with some bytes in it.</summary>
    public SafeFileHandle Open(string name, byte[] bytes, bool direct = false)
    {
        string path = _directory.File(name);
        File.WriteAllBytes(path, bytes);
        int descriptor = LibC.open(path, LibC.O_RDWR | LibC.O_CLOEXEC | (direct ? LibC.O_DIRECT : 0), 0);
        Assert.True(descriptor >= 0, Errno.Describe(Errno.Last));
        SafeFileHandle file = new(descriptor, ownsHandle: true);
        _files.Add(file);
        return file;
    }

    /// <summary>Page-aligned memory, cleared.</summary>
    public byte* Allocate(int bytes)
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, Page);
        new Span<byte>(memory, bytes).Clear();
        _memory.Add((nint)memory);
        return memory;
    }
}
