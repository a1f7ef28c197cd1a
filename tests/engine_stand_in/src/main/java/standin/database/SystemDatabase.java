package standin.database;

import java.sql.SQLException;
import java.util.List;
import java.util.Optional;

/** The data that all nodes share. */
public interface SystemDatabase extends AutoCloseable {
  boolean isAvailable();

  Note addNote(String application, String text, String node) throws SQLException;

  /** Returns whether the note existed. */
  boolean changeNote(String application, long id, String text) throws SQLException;

  Optional<Note> note(String application, long id) throws SQLException;

  /** Newest first. */
  List<Note> notes(String application, int limit) throws SQLException;

  List<Note> allNotes() throws SQLException;

  List<Release> releases() throws SQLException;

  /** Adds the next version, unless the released one has the same digest. */
  Release release(String application, String digest, String node) throws SQLException;

  void setNodeState(NodeEntry node) throws SQLException;

  List<NodeEntry> nodes() throws SQLException;

  @Override
  void close();
}
