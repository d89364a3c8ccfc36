using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace StorageCache.KeyValueStore.Cli.Files;

/// <summary>Files to be read from start to end, without a buffer of their own.</summary>
internal static partial class SourceFile
{
    private const int ReadOnly = 0;
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;

    /// <summary>Opens whatever has a name: a file, or a pipe or device, whose opening and reading may wait for somebody at the other end.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened.</exception>
    public static async Task<Stream> OpenAsync(string path, CancellationToken cancellationToken)
    {
        if (FileStatus.TryGet(path, followLinks: true) is null or { Kind: FileKind.Regular or FileKind.Directory })
        {
            return Open(path);
        }

        return new PatientSource(await Task.Run(() => Open(path), CancellationToken.None).WaitAsync(cancellationToken));
    }

    /// <summary>Opens a regular file, and never waits: by now the name may stand for something else, such as a pipe or a link.</summary>
    /// <param name="path">The file.</param>
    /// <param name="status">What was opened.</param>
    /// <exception cref="IOException">It cannot be opened, or is no regular file.</exception>
    public static FileStream OpenRegular(string path, out FileStatus status)
    {
        // It is non-blocking for the sake of pipes; reads of regular files do not care.
        SafeFileHandle file = Open(path, ReadOnly | NonBlocking | CloseOnExec);
        if (file.IsInvalid)
        {
            throw new IOException(Marshal.GetLastPInvokeErrorMessage());
        }

        try
        {
            status = FileStatus.Of(file);
            return status.Kind == FileKind.Regular && FileStatus.TryGet(path, followLinks: false) is { } named && named.IsSameFileAs(status)
                ? new FileStream(file, FileAccess.Read, bufferSize: 0)
                : throw new IOException("not a regular file any more");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static FileStream Open(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.Open,
        Access = FileAccess.Read,
        Share = FileShare.ReadWrite | FileShare.Delete,
        BufferSize = 0,
        Options = FileOptions.SequentialScan,
    });

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial SafeFileHandle Open(string path, int flags, int mode = 0);
}
