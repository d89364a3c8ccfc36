namespace StorageCache.KeyValueStore.Cli.Files;

/// <summary>Where a value is written to: a regular file, which is replaced as a whole when the value is complete, or a pipe or device, which is written to.</summary>
/// <remarks>
/// The value goes to a temporary file of a name of its own beside the file, which then takes the file's name. So two processes that write
/// the same file do not mix, the last one wins, and a value that cannot be read to its end leaves the file as it was.
/// </remarks>
internal sealed class OutputFile : IAsyncDisposable
{
    private readonly string? _target;
    private readonly string? _temporary;

    private OutputFile(Stream stream, string? target = null, string? temporary = null)
    {
        Stream = stream;
        _target = target;
        _temporary = temporary;
    }

    /// <summary>Takes the value.</summary>
    public Stream Stream { get; }

    /// <summary>Opens a file for a value.</summary>
    /// <param name="path">The file; stdout when null.</param>
    /// <param name="store">The store that the value comes from, which must not be replaced.</param>
    /// <param name="cancellationToken">Gives up: opening a pipe waits for somebody who reads it.</param>
    /// <exception cref="IOException">The file cannot be written, or it is a store.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public static async Task<OutputFile> OpenAsync(string? path, string store, CancellationToken cancellationToken)
    {
        if (path is null)
        {
            return new OutputFile(Console.OpenStandardOutput());
        }

        // A link such as /dev/stdout leads to a file that this process has open already: that is written to, wherever it stands, and never replaced.
        string target = ResolveLinks(path);
        if (target is "/proc/self/fd/1" or "/dev/fd/1")
        {
            return new OutputFile(Console.OpenStandardOutput());
        }

        FileStatus? status = FileStatus.TryGet(target, followLinks: true);
        if (status is { Kind: not (FileKind.Regular or FileKind.Directory) } || IsProcessFile(target))
        {
            return new OutputFile(await Task.Run(() => OpenExisting(target), CancellationToken.None).WaitAsync(cancellationToken));
        }

        if (status is not null)
        {
            if (status == FileStatus.TryGet(store, followLinks: true))
            {
                throw new IOException($"The output '{path}' is the store itself.");
            }

            // Refuses what may not be written, and a file that somebody has locked, such as another store.
            await OpenExisting(target).DisposeAsync();
        }

        string temporary = Path.Combine(Path.GetDirectoryName(target)!, $".kv-{Guid.NewGuid():n}.tmp");
        return new OutputFile(CreateTemporary(path, target, temporary, exists: status is not null), target, temporary);
    }

    /// <summary>Gives the file its new contents. Without this call it keeps those it has.</summary>
    public void Complete()
    {
        if (_temporary is not null)
        {
            // On the device before the name: after a loss of power the file is the old one or the new one.
            ((FileStream)Stream).Flush(flushToDisk: true);
            File.Move(_temporary, _target!, overwrite: true);
        }
    }

    /// <summary>Closes the file; the temporary one is gone afterwards.</summary>
    public async ValueTask DisposeAsync()
    {
        await Stream.DisposeAsync();
        if (_temporary is not null)
        {
            File.Delete(_temporary);
        }
    }

    /// <summary>What a path leads to. Ends before a link that only the kernel can follow.</summary>
    private static string ResolveLinks(string path)
    {
        const int MaximumLinks = 40;
        string target = Path.GetFullPath(path);
        for (int i = 0; i < MaximumLinks; i++)
        {
            if (IsProcessFile(target)
                || FileStatus.TryGet(target, followLinks: false) is not { Kind: FileKind.Link }
                || File.ResolveLinkTarget(target, returnFinalTarget: false) is not { } link)
            {
                return target;
            }

            target = link.FullName;
        }

        throw new IOException($"The output '{path}' leads through too many symbolic links.");
    }

    private static bool IsProcessFile(string path) =>
        path.StartsWith("/proc/", StringComparison.Ordinal) || path.StartsWith("/dev/fd/", StringComparison.Ordinal);

    private static FileStream OpenExisting(string path) => new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);

    private static FileStream CreateTemporary(string path, string target, string temporary, bool exists)
    {
        try
        {
            FileStream stream = new(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            if (exists && !OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(stream.SafeFileHandle, File.GetUnixFileMode(target));
            }

            return stream;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"Cannot create the output '{path}', or a temporary file beside it: {exception.Message}", exception);
        }
    }
}
