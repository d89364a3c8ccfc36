using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Disk;

/// <summary>A file whose pages carry their numbers, for the length of one workload.</summary>
internal sealed class StampedFile : IDisposable
{
    /// <summary>Bytes per page.</summary>
    public const int PageSize = 4096;

    private const int ChunkBytes = 4 << 20;

    private StampedFile(string path, long pages)
    {
        Path = path;
        Pages = pages;
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>How many pages it has.</summary>
    public long Pages { get; }

    /// <summary>Bytes.</summary>
    public long Length => Pages * PageSize;

    /// <summary>Writes a file to the directory for temporary files, and waits until it is on the device.</summary>
    public static StampedFile Create(string name, long pages) =>
        CreateAt(System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"storagecache-{name}-{Environment.ProcessId}"), pages);

    /// <summary>Writes a file, and waits until it is on the device.</summary>
    /// <param name="path">Where.</param>
    /// <param name="pages">How many pages it has.</param>
    /// <param name="filler">What the pages hold behind their numbers; zeros if null.</param>
    public static StampedFile CreateAt(string path, long pages, Random? filler = null)
    {
        StampedFile file = new(path, pages);
        try
        {
            using FileStream stream = new(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
            byte[] chunk = new byte[ChunkBytes];
            for (long page = 0; page < pages;)
            {
                int bytes = (int)Math.Min(ChunkBytes, (pages - page) * PageSize);
                filler?.NextBytes(chunk);
                for (int at = 0; at < bytes; at += PageSize)
                {
                    BinaryPrimitives.WriteInt64LittleEndian(chunk.AsSpan(at), page++);
                }

                stream.Write(chunk, 0, bytes);
            }

            stream.Flush(flushToDisk: true);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Throws unless bytes are those of a page.</summary>
    public static void Check(ReadOnlySpan<byte> bytes, long page)
    {
        long stamp = MemoryMarshal.Read<long>(bytes);
        if (stamp != page)
        {
            throw new WorkloadFailedException($"page {page} reads as page {stamp}");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => File.Delete(Path);
}
