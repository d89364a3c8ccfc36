using StorageCache.Frames;
using StorageCache.IO;
using StorageCache.IO.Ring;
using StorageCache.Platform;
using StorageCache.Platform.Native;
using StorageCache.Tests.IO;
using StorageCache.Tests.Platform;
using Xunit;

namespace StorageCache.Tests.Frames;

/// <summary>I/O-22, I/O-23 with a real ring: a transfer reaches the memory that its frame has, whatever becomes of its neighbours.</summary>
public sealed unsafe class RegisteredFramesTests : IDisposable
{
    private const int Page = 4096;
    private const int FilePages = 64;

    /// <summary>Four pieces of 2 MiB.</summary>
    private const int Frames = 2047;

    private readonly ScratchDirectory _directory = new();
    private readonly OwnThread _thread = new("registers", BackgroundThreads.Instance);

    public RegisteredFramesTests() => _thread.Start();

    public void Dispose()
    {
        _thread.Stop();
        _directory.Dispose();
    }

    [RingFact]
    public void Reads_arrive_in_the_memory_of_their_frames_while_others_lose_theirs_and_get_it_back()
    {
        string path = NewFile();
        foreach ((int depth, bool isGuarded) in new[] { (1, false), (8, false), (8, true) })
        {
            using RingIoEngine engine = new(depth, maximumThreads: 1);
            FileBlockDevice device = FileBlockDevice.Open(path, FileOpenMode.Open, isReadOnly: true, Page, engine);
            FramePool pool = NewPool(engine, isGuarded, out FrameRegistration registration);
            for (int round = 0; round < 10; round++)
            {
                Fill(pool, registration);
                Assert.Equal(Frames * (long)Page, registration.Bytes);
                Thread[] threads = [.. Enumerable.Range(0, 3).Select(i => new Thread(() => ReadAndRetire(pool, registration, device, new Random((round * 8) + i))))];
                Array.ForEach(threads, thread => thread.Start());
                Array.ForEach(threads, thread => thread.Join());
                Assert.True(registration.Bytes <= pool.Active * (long)Page, "only frames with memory are registered");
            }

            device.Close();
            engine.Dispose();
            Assert.Equal(0, registration.Bytes);
            pool.Discard();
        }
    }

    [RingFact]
    public void Registering_and_withdrawing_under_way_fails_no_transfer_I_O_23()
    {
        using RingIoEngine engine = new(depth: 4, maximumThreads: 1);
        FileBlockDevice device = FileBlockDevice.Open(NewFile(), FileOpenMode.Open, isReadOnly: true, Page, engine);
        MemoryRegion region = MemoryRegion.Reserve(3 << 20, hugePages: false);
        region.Commit(0, region.Size);
        IRegisteredMemory memory = Registered(engine, region.Base, region.Size);
        bool stop = false;
        Thread changing = new(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                Assert.True(memory.TryRegister(0, region.Base, 2 << 20));
                Thread.SpinWait(100);
                Assert.True(memory.TryWithdraw(0));
            }
        });
        changing.Start();
        using FrameRead read = new();
        for (int i = 0; i < 20_000; i++)
        {
            Read(device, read, i % FilePages, region.Base + (i % 512 * Page));
        }

        Volatile.Write(ref stop, true);
        changing.Join();
        device.Close();
        GC.KeepAlive(region);
    }

    [RingFact]
    public void A_transfer_that_names_what_was_withdrawn_before_the_kernel_looked_is_refused_by_it_I_O_23()
    {
        using TestRing ring = new(4);
        MemoryRegion region = MemoryRegion.Reserve(2 << 20, hugePages: false);
        region.Commit(0, region.Size);
        RingMemory? memory = RingMemory.TryCreate(ring.Handle, region.Base, region.Size, out string? refusal);
        Assert.SkipWhen(memory is null, refusal ?? "");
        Assert.True(memory.TryRegister(0, region.Base, region.Size));
        Assert.True(memory.TryName(region.Base + Page, Page, out ushort entry));
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(NewFile());
        RingRequest request = TestRing.Transfer(RingOperation.Read, (int)file.DangerousGetHandle(), 0, region.Base + Page, Page);
        request.Flags = RingRequestFlags.FixedBuffer;
        request.BufferIndex = entry;
        Assert.Equal(Page, ring.Run(request));
        Assert.Equal(1, NativeMethods.RingPrepare(ring.Handle, &request, 1));
        Assert.True(memory.TryWithdraw(0));
        Assert.False(memory.TryName(region.Base + Page, Page, out _));
        Assert.Equal(1, NativeMethods.RingEnter(ring.Handle, 0, 0));
        Assert.Equal(-Errno.EFAULT, ring.Next().Result);
        memory.Close();
        GC.KeepAlive(region);
    }

    [RingFact]
    public void A_transfer_across_two_pieces_arrives_whole()
    {
        using RingIoEngine engine = new(depth: 4, maximumThreads: 1);
        FileBlockDevice device = FileBlockDevice.Open(NewFile(), FileOpenMode.Open, isReadOnly: true, Page, engine);
        MemoryRegion region = MemoryRegion.Reserve(4 << 20, hugePages: false);
        region.Commit(0, region.Size);
        IRegisteredMemory memory = Registered(engine, region.Base, region.Size);
        Assert.True(memory.TryRegister(0, region.Base, 2 << 20));
        Assert.True(memory.TryRegister(1, region.Base + (2 << 20), 2 << 20));
        using FrameRead read = new();
        byte* target = region.Base + (2 << 20) - Page;
        read.Run(device, 0, target, 2 * Page);
        Assert.Null(read.Error);
        Assert.Equal([1, 2], new[] { target[0], target[Page] });
        device.Close();
        GC.KeepAlive(region);
    }

    [RingFact]
    public void After_the_engine_nothing_is_registered_and_nothing_can_be()
    {
        MemoryRegion region = MemoryRegion.Reserve(2 << 20, hugePages: false);
        region.Commit(0, region.Size);
        RingIoEngine engine = new(depth: 4, maximumThreads: 1);
        IRegisteredMemory memory = Registered(engine, region.Base, region.Size);
        Assert.True(memory.TryRegister(0, region.Base, region.Size));
        Assert.Equal(region.Size, memory.Bytes);
        engine.Dispose();
        Assert.Equal(0, memory.Bytes);
        Assert.True(memory.TryWithdraw(0));
        Assert.False(memory.TryRegister(0, region.Base, region.Size));
        Assert.False(memory.IsRefused);
        GC.KeepAlive(region);
    }

    [RingFact]
    public void Pieces_are_as_large_as_the_kernels_table_asks_for()
    {
        (long Bytes, int Shift, int Pieces)[] cases = [(1, 21, 1), (2 << 20, 21, 1), ((2 << 20) + 1, 21, 2), (32L << 30, 21, 16384), ((32L << 30) + 1, 22, 8193), (1L << 41, 27, 16384)];
        foreach ((long bytes, int shift, int pieces) in cases)
        {
            using RingIoEngine engine = new(depth: 4, maximumThreads: 1);
            IRegisteredMemory memory = Registered(engine, (byte*)(1L << 42), bytes);
            Assert.Equal(shift, memory.PieceShift);
            Assert.Equal(pieces, memory.Pieces);
        }
    }

    private static IRegisteredMemory Registered(RingIoEngine engine, byte* start, long bytes)
    {
        IRegisteredMemory? memory = engine.TryRegisterMemory(start, bytes, out string? refusal);
        Assert.SkipWhen(memory is null, refusal ?? "");
        return memory;
    }

    private static void Read(FileBlockDevice device, FrameRead read, int page, byte* target)
    {
        new Span<byte>(target, Page).Fill(0xee);
        read.Run(device, page * (long)Page, target, Page);
        if (read.Error is not null || new Span<byte>(target, Page).IndexOfAnyExcept((byte)(page + 1)) >= 0)
        {
            // In any thread; and before anything covers the traces.
            Environment.FailFast($"A read of page {page} did not arrive: {read.Error}");
        }
    }

    /// <summary>Every frame has memory and is free, and everything is registered.</summary>
    private void Fill(FramePool pool, FrameRegistration registration)
    {
        Stack<uint> frames = [];
        for (uint frame; (frame = pool.TryAllocate(forBreak: true)) != 0;)
        {
            frames.Push(frame);
        }

        Assert.Equal(Frames, frames.Count);

        foreach (uint frame in frames)
        {
            pool.DropReference(frame);
        }

        registration.Renew();
        using ManualResetEventSlim reached = new();
        _thread.Post(_ => reached.Set(), null);
        reached.Wait();
    }

    private static void ReadAndRetire(FramePool pool, FrameRegistration registration, FileBlockDevice device, Random random)
    {
        using FrameRead read = new();
        for (int i = 0; i < 500; i++)
        {
            uint frame = pool.TryAllocate(forBreak: true);
            if (frame == 0)
            {
                continue;
            }

            Read(device, read, random.Next(FilePages), pool.Address(frame));
            if (random.Next(4) != 0)
            {
                pool.DropReference(frame);
            }
            else
            {
                pool.Retire(frame);
            }

            if (random.Next(50) == 0)
            {
                registration.Renew();
            }
        }
    }

    private FramePool NewPool(RingIoEngine engine, bool isGuarded, out FrameRegistration registration)
    {
        FramePool pool = new(new MemoryBudget(1 << 30), Page, Frames, headBytes: 64, hugePages: false, isGuarded) { Capacity = Frames };
        registration = new FrameRegistration(pool, Registered(engine, pool.Base, pool.AddressBytes), _thread);
        pool.ReportTo(registration);
        return pool;
    }

    /// <summary>Page i is full of i + 1.</summary>
    private string NewFile()
    {
        string path = _directory.File(Path.GetRandomFileName());
        byte[] bytes = new byte[FilePages * Page];
        for (int page = 0; page < FilePages; page++)
        {
            bytes.AsSpan(page * Page, Page).Fill((byte)(page + 1));
        }

        File.WriteAllBytes(path, bytes);
        return path;
    }
}
