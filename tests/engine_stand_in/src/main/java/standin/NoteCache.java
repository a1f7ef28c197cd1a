package standin;

import java.sql.SQLException;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import standin.database.Note;
import standin.database.SystemDatabase;

/** Each node caches what it read. The other nodes must be notified of a change, or they keep showing the old text. */
public final class NoteCache {
  private final SystemDatabase database;
  private final Map<Long, Note> notes = new ConcurrentHashMap<>();

  public NoteCache(SystemDatabase database) {
    this.database = database;
  }

  public Optional<Note> get(String application, long id) throws SQLException {
    Note cached = notes.get(id);
    if (cached != null) {
      return Optional.of(cached).filter(note -> note.application().equals(application));
    }
    Optional<Note> read = database.note(application, id);
    read.ifPresent(note -> notes.put(id, note));
    return read;
  }

  public void forget(long id) {
    notes.remove(id);
  }
}
