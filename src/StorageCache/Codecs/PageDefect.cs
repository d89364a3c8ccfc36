namespace StorageCache;

/// <summary>Why stored bytes are not the page that they were to be.</summary>
/// <param name="Reason">What is wrong, as a part of a sentence: "its checksum does not match".</param>
/// <param name="Expected">What the page should have, if that can be said.</param>
/// <param name="Found">What was found instead, if that can be said.</param>
public readonly record struct PageDefect(string Reason, string? Expected = null, string? Found = null)
{
    /// <summary>The reason, with what was expected and found.</summary>
    public override string ToString() =>
        Expected is null && Found is null ? Reason ?? "it cannot be decoded" : $"{Reason ?? "it cannot be decoded"} (expected {Expected ?? "another"}, found {Found ?? "another"})";
}
