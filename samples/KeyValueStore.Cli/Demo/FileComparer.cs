using System.Collections.Concurrent;
using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Files;
using StorageCache.KeyValueStore.Cli.Loading;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>Reads the values of loaded files back, and compares them with the files, and with what was read of them.</summary>
/// <remarks>
/// A value that is not what was read of its file is a difference. One that is, but is not what the file says now, is none if the file has changed since;
/// such a file is named, and not counted as verified.
/// </remarks>
internal sealed class FileComparer(KeyValueStore store, FileTree tree)
{
    private const int MaximumParallelism = 4;

    private readonly ConcurrentQueue<string> _differences = [];
    private readonly ConcurrentQueue<string> _changed = [];
    private long _comparedBytes;
    private long _verifiedBytes;
    private int _verifiedFiles;

    /// <summary>Values that are not what was read.</summary>
    public IReadOnlyCollection<string> Differences => _differences;

    /// <summary>Files that are not what they were when they were read, or are gone.</summary>
    public IReadOnlyCollection<string> Changed => _changed;

    /// <summary>Files that are the same as their values, byte for byte.</summary>
    public int VerifiedFiles => _verifiedFiles;

    /// <summary>Bytes of those files.</summary>
    public long VerifiedBytes => _verifiedBytes;

    public async Task<long> RunAsync(IReadOnlyList<LoadedFile> files, Action<double> report, CancellationToken cancellationToken)
    {
        ParallelOptions parallel = new()
        {
            MaxDegreeOfParallelism = Math.Min(Environment.ProcessorCount, MaximumParallelism),
            CancellationToken = cancellationToken,
        };
        await Parallel.ForEachAsync(files, parallel, async (file, token) =>
        {
            await CompareAsync(file, token);
            report(Interlocked.Add(ref _comparedBytes, file.Length));
        });
        return _comparedBytes;
    }

    private async Task CompareAsync(LoadedFile file, CancellationToken cancellationToken)
    {
        await using FileStream? source = TryOpen(file, out string? problem);
        ComparingStream comparison = new(source);
        long? length = await store.CopyToAsync(ByteText.ToBytes(file.RelativePath), comparison, cancellationToken);
        if (length is null)
        {
            _differences.Enqueue($"{file.RelativePath}: not in the store");
            return;
        }

        bool isWhatFileSays = source is not null && comparison.DifferenceAt < 0 && await comparison.IsAtEndAsync(cancellationToken) && comparison.ReadError is null;
        problem ??= comparison.ReadError;
        if (length != file.Length || comparison.Hash != file.Hash)
        {
            _differences.Enqueue(problem is null && comparison.DifferenceAt >= 0
                ? $"{file.RelativePath}: the value differs from the file at byte {comparison.DifferenceAt}, and from what was read of it"
                : $"{file.RelativePath}: the value is not what was read of the file");
        }
        else if (isWhatFileSays)
        {
            Interlocked.Increment(ref _verifiedFiles);
            Interlocked.Add(ref _verifiedBytes, file.Length);
        }
        else if (problem is not null || FileStatus.Of(source!.SafeFileHandle) != file.Status)
        {
            _changed.Enqueue($"{file.RelativePath}: {problem ?? "it is not what it was when it was read"}");
        }
        else
        {
            _differences.Enqueue($"{file.RelativePath}: what was read of the file is not what it says, and it has not changed");
        }
    }

    private FileStream? TryOpen(LoadedFile file, out string? problem)
    {
        problem = null;
        try
        {
            return SourceFile.OpenRegular(tree.FullPath(file.RelativePath), out _);
        }
        catch (IOException exception)
        {
            problem = exception.Message;
            return null;
        }
    }
}
