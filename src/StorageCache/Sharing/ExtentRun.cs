namespace StorageCache.Sharing;

/// <summary>Neighbouring pages of a file that are a piece of a run that other files have as well.</summary>
/// <param name="FirstPage">The first page in the file.</param>
/// <param name="Count">How many pages.</param>
/// <param name="Identity">The run.</param>
/// <param name="Offset">Which page of the run the first one is.</param>
internal readonly record struct ExtentRun(long FirstPage, long Count, ExtentIdentity Identity, long Offset)
{
    /// <summary>Bytes that an entry of a map takes.</summary>
    public const int SizeInBytes = 32;

    /// <summary>The first page behind it.</summary>
    public long EndPage => FirstPage + Count;

    /// <summary>A piece of it.</summary>
    public ExtentRun Part(long firstPage, long count) => this with { FirstPage = firstPage, Count = count, Offset = Offset + firstPage - FirstPage };
}
