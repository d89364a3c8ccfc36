namespace StorageCache.IO;

/// <summary>A change of length on its way through an engine's queue.</summary>
/// <remarks>
/// It carries the operation <see cref="BlockOperation.Flush"/>, the public kind that moves no bytes; only the file device that made it
/// ever sees it, and recognizes it by its type.
/// </remarks>
internal sealed class SetLengthRequest : AwaitedRequest
{
    public SetLengthRequest(long length)
    {
        Length = length;
        Reset(BlockOperation.Flush, 0);
    }

    /// <summary>Bytes.</summary>
    public long Length { get; }
}
