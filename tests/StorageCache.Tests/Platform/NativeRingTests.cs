using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;
using StorageCache.Platform.Native;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Platform;

/// <summary>The ring through its managed declarations; what it does in every case is tested in <c>native/tests</c>.</summary>
public sealed unsafe class NativeRingTests
{
    private const int Page = NativeScratch.Page;

    [Theory]
    [InlineData((uint)RingFlags.None)]
    [InlineData((uint)RingFlags.CooperativeTaskRun)]
    [InlineData((uint)(RingFlags.SingleIssuer | RingFlags.DeferTaskRun))]
    public void What_is_written_through_a_ring_is_read_through_it(uint flags)
    {
        using NativeScratch scratch = Scratch();
        using TestRing ring = new(8, flags: (RingFlags)flags);
        SafeFileHandle file = scratch.Open("file", new byte[8 * Page], direct: true);
        int descriptor = (int)file.DangerousGetHandle();
        byte* memory = scratch.Allocate(16 * Page);
        byte[] expected = BlockDeviceTests.Pattern(8 * Page, 1);
        expected.CopyTo(new Span<byte>(memory, 8 * Page));

        Assert.Equal(2 * Page, ring.Run(TestRing.Transfer(RingOperation.Write, descriptor, 0, memory, 2 * Page, 1)));
        IoVector* vectors = stackalloc IoVector[2];
        vectors[0] = new() { Base = memory + (2 * Page), Length = Page };
        vectors[1] = new() { Base = memory + (3 * Page), Length = 5 * Page };
        Assert.Equal(6 * Page, ring.Run(TestRing.Transfer(RingOperation.WriteVectored, descriptor, 2 * Page, vectors, 2, 2)));
        Assert.Equal(0, ring.Run(new() { Operation = RingOperation.FdataSync, File = descriptor, UserData = 3 }));
        Assert.Equal(0, ring.Run(new() { Operation = RingOperation.Fsync, File = descriptor, UserData = 4 }));

        byte* back = memory + (8 * Page);
        Assert.Equal(3 * Page, ring.Run(TestRing.Transfer(RingOperation.Read, descriptor, 0, back, 3 * Page, 5)));
        vectors[0] = new() { Base = back + (3 * Page), Length = 4 * Page };
        vectors[1] = new() { Base = back + (7 * Page), Length = Page };
        Assert.Equal(5 * Page, ring.Run(TestRing.Transfer(RingOperation.ReadVectored, descriptor, 3 * Page, vectors, 2, 6)));
        Assert.Equal(expected, new ReadOnlySpan<byte>(back, 8 * Page).ToArray());
    }

    [Fact]
    public void Files_and_memory_can_be_registered()
    {
        NativeFact.Needs(NativeCapabilities.FixedBuffers | NativeCapabilities.FixedFiles);
        using NativeScratch scratch = Scratch();
        using TestRing ring = new(8);
        int descriptor = (int)scratch.Open("file", BlockDeviceTests.Pattern(Page, 1), direct: true).DangerousGetHandle();
        int other = (int)scratch.Open("other", BlockDeviceTests.Pattern(Page, 2), direct: true).DangerousGetHandle();
        byte* memory = scratch.Allocate(2 * Page);
        IoVector buffer = new() { Base = memory, Length = Page };
        Assert.Equal(0, NativeMethods.RingRegisterFiles(ring.Handle, &descriptor, 1));
        Assert.Equal(0, NativeMethods.RingRegisterBuffers(ring.Handle, &buffer, 1));

        RingRequest read = TestRing.Transfer(RingOperation.Read, 0, 0, memory, Page);
        read.Flags = RingRequestFlags.FixedFile | RingRequestFlags.FixedBuffer;
        Assert.Equal(Page, ring.Run(read));
        Assert.Equal(BlockDeviceTests.Pattern(Page, 1), new ReadOnlySpan<byte>(memory, Page).ToArray());

        IoVector second = new() { Base = memory + Page, Length = Page };
        Assert.Equal(1, NativeMethods.RingUpdateFiles(ring.Handle, 0, &other, 1));
        Assert.Equal(1, NativeMethods.RingUpdateBuffers(ring.Handle, 0, &second, 1));
        read.Address += Page;
        Assert.Equal(Page, ring.Run(read));
        Assert.Equal(BlockDeviceTests.Pattern(Page, 2), new ReadOnlySpan<byte>(memory + Page, Page).ToArray());

        Assert.Equal(0, NativeMethods.RingUnregisterBuffers(ring.Handle));
        Assert.Equal(0, NativeMethods.RingUnregisterFiles(ring.Handle));
    }

    [Fact]
    public void The_queues_say_how_full_they_are()
    {
        using TestRing ring = new(2, 4);
        RingProperties properties = ring.Properties;
        Assert.Equal(2u, properties.SubmissionEntries);
        Assert.Equal(4u, properties.CompletionEntries);
        Assert.True(properties.FileDescriptor > 2);
        Assert.NotEqual(0u, properties.KernelFeatures);
        Assert.True(properties.MappedBytes > 0);

        RingRequest* requests = stackalloc RingRequest[3];
        for (int i = 0; i < 3; i++)
        {
            requests[i] = TestRing.Nop((ulong)i);
        }

        Assert.Equal(2, NativeMethods.RingSpace(ring.Handle));
        Assert.Equal(2, NativeMethods.RingPrepare(ring.Handle, requests, 3));
        Assert.Equal(0, NativeMethods.RingSpace(ring.Handle));
        Assert.Equal(2, NativeMethods.RingOutstanding(ring.Handle));
        Assert.Equal(0, NativeMethods.RingHasCompletions(ring.Handle));
        Assert.Equal(2, NativeMethods.RingEnter(ring.Handle, 2, TestRing.Second));
        Assert.Equal((int)CompletionStates.Ready, NativeMethods.RingHasCompletions(ring.Handle));
        Assert.Equal(-16, NativeMethods.RingDestroy(ring.Handle));
        RingCompletion* completions = stackalloc RingCompletion[4];
        Assert.Equal(2, NativeMethods.RingReap(ring.Handle, completions, 4));
        Assert.Equal(1ul, completions[1].UserData);
        Assert.Equal(0, NativeMethods.RingOutstanding(ring.Handle));
    }

    [Fact]
    public void What_overflows_is_kept()
    {
        using TestRing ring = new(1, 1);
        for (ulong i = 0; i < 10; i++)
        {
            ring.Submit(TestRing.Nop(i));
        }

        Assert.Equal((int)(CompletionStates.Ready | CompletionStates.Held), NativeMethods.RingHasCompletions(ring.Handle));
        for (ulong i = 0; i < 10; i++)
        {
            Assert.Equal(i, ring.Next().UserData);
        }
    }

    [Fact]
    public void A_wait_times_out_and_an_event_ends_it()
    {
        using NativeScratch scratch = Scratch();
        using TestRing ring = new(4);
        using SafeFileHandle wake = new(NativeMethods.EventCreate(), ownsHandle: true);
        int descriptor = (int)wake.DangerousGetHandle();
        ulong* count = (ulong*)scratch.Allocate(sizeof(ulong));
        ring.Submit(TestRing.Transfer(RingOperation.Read, descriptor, ulong.MaxValue, count, sizeof(ulong), 7));
        int result;
        do
        {
            result = NativeMethods.RingWait(ring.Handle, 1, 1_000_000);
        }
        while (result == -Errno.EINTR);
        Assert.Equal(-62, result);

        Thread signaller = new(() => Assert.Equal(0, NativeMethods.EventSignal(descriptor)));
        signaller.Start();
        Assert.Equal(7ul, ring.Next().UserData);
        signaller.Join();
        Assert.Equal(1ul, *count);
    }

    [Fact]
    public void A_request_under_way_can_be_cancelled()
    {
        using NativeScratch scratch = Scratch();
        using TestRing ring = new(4);
        using SafeFileHandle wake = new(NativeMethods.EventCreate(), ownsHandle: true);
        byte* count = scratch.Allocate(sizeof(ulong));
        ring.Submit(TestRing.Transfer(RingOperation.Read, (int)wake.DangerousGetHandle(), ulong.MaxValue, count, sizeof(ulong), 7));
        ring.Submit(new() { Operation = RingOperation.Cancel, Address = 7, UserData = 8 });
        Dictionary<ulong, int> results = [];
        for (int i = 0; i < 2; i++)
        {
            RingCompletion completion = ring.Next();
            results.Add(completion.UserData, completion.Result);
        }

        Assert.Equal(-Errno.ECANCELED, results[7]);
        Assert.Equal(0, results[8]);
    }

    [Fact]
    public void A_disabled_ring_is_enabled_by_the_thread_that_uses_it()
    {
        using TestRing ring = new(4, flags: RingFlags.DeferTaskRun | RingFlags.Disabled);
        Assert.True(ring.Properties.Flags.HasFlag(RingFlags.Disabled));
        Exception? failure = null;
        Thread user = new(() => failure = Record.Exception(() =>
        {
            Assert.Equal(0, NativeMethods.RingEnable(ring.Handle));
            Assert.Equal(0, ring.Run(TestRing.Nop(1)));
        }));
        user.Start();
        user.Join();
        Assert.Null(failure);
    }

    [Fact]
    public void One_thread_submits_while_another_reaps()
    {
        const int Total = 50_000;
        using TestRing ring = new(32, 128);
        NativeRing* handle = ring.Handle;
        int reaped = 0;
        ulong sum = 0;
        Exception? failure = null;
        Thread reaper = new(() => failure = Record.Exception(() =>
        {
            RingCompletion* completions = stackalloc RingCompletion[64];
            while (reaped < Total)
            {
                int count = NativeMethods.RingReap(handle, completions, 64);
                for (int i = 0; i < count; i++)
                {
                    Assert.Equal(0, completions[i].Result);
                    sum += completions[i].UserData;
                }

                Volatile.Write(ref reaped, reaped + count);
                if (count == 0)
                {
                    Assert.True(NativeMethods.RingWait(handle, 1, -1) is 0 or -Errno.EINTR);
                }
            }
        }));
        reaper.Start();
        for (int i = 0; i < Total;)
        {
            // The rule that keeps the completion queue from overflowing.
            RingRequest request = TestRing.Nop((ulong)i);
            if (NativeMethods.RingOutstanding(handle) < 128 && NativeMethods.RingPrepare(handle, &request, 1) == 1)
            {
                i++;
            }

            Assert.True(NativeMethods.RingEnter(handle, 0, 0) >= 0);
        }

        reaper.Join();
        Assert.Null(failure);
        Assert.Equal((ulong)Total * (Total - 1) / 2, sum);
    }

    private static NativeScratch Scratch()
    {
        NativeFact.Needs(NativeCapabilities.Ring);
        return new NativeScratch();
    }
}
