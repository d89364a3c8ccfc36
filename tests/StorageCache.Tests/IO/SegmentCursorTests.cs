using StorageCache.IO;
using StorageCache.Platform;
using Xunit;

namespace StorageCache.Tests.IO;

public unsafe class SegmentCursorTests
{
    [Fact]
    public void Segments_that_touch_in_memory_become_one_entry()
    {
        BlockSegment[] segments = [Segment(1000, 10), Segment(1010, 20), Segment(500, 10), Segment(510, 10), Segment(530, 5)];
        SegmentCursor cursor = new(segments);
        IoVector[] vectors = new IoVector[5];
        Assert.Equal(55, cursor.Remaining);
        Assert.Equal(3, cursor.Fill(vectors));
        Assert.Equal([(1000, 30), (500, 20), (530, 5)], Plain(vectors, 3));
    }

    [Fact]
    public void What_follows_a_short_transfer_starts_within_a_segment()
    {
        BlockSegment[] segments = [Segment(1000, 10), Segment(2000, 20), Segment(3000, 5)];
        SegmentCursor cursor = new(segments);
        IoVector[] vectors = new IoVector[3];
        cursor.Advance(13);
        Assert.Equal(22, cursor.Remaining);
        Assert.Equal(2, cursor.Fill(vectors));
        Assert.Equal([(2003, 17), (3000, 5)], Plain(vectors, 2));
        cursor.Advance(4);
        cursor.Advance(13);
        Assert.Equal(1, cursor.Fill(vectors));
        Assert.Equal([(3000, 5)], Plain(vectors, 1));
        cursor.Advance(5);
        Assert.Equal(0, cursor.Remaining);
    }

    [Fact]
    public void Only_as_much_is_described_as_there_is_room_for()
    {
        BlockSegment[] segments = [Segment(1000, 10), Segment(2000, 10), Segment(2010, 10), Segment(4000, 10)];
        SegmentCursor cursor = new(segments);
        IoVector[] vectors = new IoVector[2];
        Assert.Equal(2, cursor.Fill(vectors));
        Assert.Equal([(1000, 10), (2000, 20)], Plain(vectors, 2));
    }

    private static BlockSegment Segment(nint address, int length) => new((byte*)address, length);

    private static (long Address, int Length)[] Plain(IoVector[] vectors, int count) =>
        [.. vectors.Take(count).Select(v => ((long)v.Base, (int)v.Length))];
}
