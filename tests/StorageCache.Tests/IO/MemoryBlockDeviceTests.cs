using StorageCache.IO;
using Xunit;

namespace StorageCache.Tests.IO;

public class MemoryBlockDeviceTests : BlockDeviceTests
{
    [Fact]
    public void Submit_completes_inline()
    {
        MemoryBlockDevice device = new("memory");
        using TestRequest write = TestRequest.Write(0, [1, 2, 3]);
        device.Submit(write);
        Assert.Equal(1, write.Completions);
        Assert.Same(Thread.CurrentThread, write.CompletingThread);
    }

    [Fact]
    public void Bytes_can_be_read_and_written_without_a_request()
    {
        MemoryBlockDevice device = new("memory", length: 10);
        byte[] written = Pattern(200_000, 1);
        device.Write(65_530, written);
        Assert.Equal(265_530, device.Length);
        byte[] read = new byte[200_010];
        Assert.Equal(200_000, device.Read(65_530, read));
        Assert.Equal(written, read[..200_000]);
        Assert.Equal(0, device.Read(300_000, read));
    }

    [Fact]
    public void Writers_side_by_side_leave_the_length_of_the_furthest()
    {
        MemoryBlockDevice device = new("memory");
        Parallel.For(0, 200, i => device.Write(i * 1000L, Pattern(1000, (byte)i)));
        Assert.Equal(200_000, device.Length);
        byte[] read = new byte[1000];
        for (int i = 0; i < 200; i++)
        {
            device.Read(i * 1000L, read);
            Assert.Equal(Pattern(1000, (byte)i), read);
        }
    }

    [Fact]
    public void A_transfer_allocates_nothing_once_its_chunks_are_there()
    {
        MemoryBlockDevice device = new("memory");
        using TestRequest request = TestRequest.Write(0, new byte[8192]);
        void Round()
        {
            request.Prepare(BlockOperation.Write, 0, 8192);
            device.Submit(request);
            request.Prepare(BlockOperation.Read, 0, 8192);
            device.Submit(request);
        }

        for (int i = 0; i < 1000; i++)
        {
            Round();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            Round();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private protected override IBlockDevice Open() => new MemoryBlockDevice("memory");
}
